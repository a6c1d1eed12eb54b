"""The lock of a study: a process that looks at the lock keeps nobody from taking it, however long the look."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from search.errors import StudyError
from search.storage.lock import hold, is_held

fcntl = pytest.importorskip("fcntl", reason="looks that are stopped half way, by POSIX locks")

NAPS = 40


@pytest.fixture
def looking(tmp_path: Path) -> int:
    """Hold the lock in the state that `is_held` has between two of its steps."""
    file = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def test_a_look_that_was_stopped_half_way_refuses_nobody(
    looking: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps = list[float]()

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == NAPS:
            os.close(looking)

    monkeypatch.setattr(time, "sleep", nap)
    with hold(tmp_path / "lock", "study x"):
        assert is_held(tmp_path / "lock")
    assert len(naps) == NAPS and not is_held(tmp_path / "lock")


def test_who_holds_it_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nap(seconds: float) -> None:
        raise AssertionError("there is nothing to wait for")

    monkeypatch.setattr(time, "sleep", nap)
    with (
        hold(tmp_path / "lock", "study x"),
        pytest.raises(StudyError, match="study x is being run by process"),
        hold(tmp_path / "lock", "study x"),
    ):
        pass


def test_a_look_that_never_ends_is_no_reason_to_wait_for_ever(
    looking: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.storage.lock.PATIENCE_SECONDS", 0.0)
    with pytest.raises(StudyError, match="is being run by"), hold(tmp_path / "lock", "study x"):
        pass
    os.close(looking)
