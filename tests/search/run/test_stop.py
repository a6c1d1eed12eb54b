"""A stop that is asked for in the storage ends the run that holds the lock, and no later run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from search.run import stop
from search.run.stop import StopRequest, ask_to_stop
from search.storage.study import Store
from tests.search.dashboard.kept import begin


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A study whose coordinator looks for a stop at every step."""
    monkeypatch.setattr(stop, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(stop, "MOST_SHARE", 1e9)
    return begin(tmp_path)


def never() -> bool:
    return False


def test_what_is_asked_while_a_run_still_reads_its_data_counts(store: Store) -> None:
    began = time.time()
    ask_to_stop(store)
    assert StopRequest(store, never, began)()


def test_what_was_asked_of_an_earlier_run_does_not(store: Store) -> None:
    ask_to_stop(store)
    asked: float = store.study.user_attrs[stop.STOP]
    later = StopRequest(store, never, asked + 1)
    assert not later() and not later()
    ask_to_stop(store)
    assert later()


@pytest.mark.parametrize("kept", ["soon", None, {"at": 1}])
def test_what_somebody_else_wrote_there_is_no_stop(store: Store, kept: object) -> None:
    store.study.set_user_attr(stop.STOP, kept)
    assert not StopRequest(store, never, 0.0)()
