"""A study that is killed while it is made: the next run makes it whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from search.errors import StudyError
from search.storage.connect import sqlite_url
from search.storage.study import (
    DATA_ATTR,
    FORMAT,
    FORMAT_ATTR,
    TEXT_ATTR,
    claim,
    open_to_run,
)

IDENTITY = {TEXT_ATTR: "study: tiny", DATA_ATTR: "0" * 8, "facts": {"input": [1, 8, 8]}}
READS = ("SELECT", "PRAGMA")  # statements before which a kill leaves what it left after the write before
DIRECTIONS = ["maximize"]


def made(runs: Path) -> dict[str, object]:
    """Make the study, or open it, and return what is stored of it."""
    with claim("tiny", runs, None) as claimed:
        store = open_to_run(claimed, DIRECTIONS, IDENTITY)
        found = dict(store.study.user_attrs)
        store.close()
    return found


def killed_at(step: int, runs: Path) -> bool:
    """Make the study in a process that is killed before its write of that number; return whether it was."""
    child = os.fork()
    if child == 0:
        left = step

        def write(*event: object) -> None:
            nonlocal left
            left -= len(event) == 1 or not str(event[2]).startswith(READS)
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        for name in ("before_cursor_execute", "commit"):
            sqlalchemy.event.listen(sqlalchemy.Engine, name, write)
        try:
            made(runs)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_study_that_is_killed_while_it_is_made_is_made_by_the_next_run(tmp_path: Path) -> None:
    step = 0
    while killed_at(step, runs := tmp_path / str(step)):
        assert made(runs) == {FORMAT_ATTR: FORMAT, **IDENTITY}, f"killed at write {step}"
        step += 1
    assert step > 20 and made(tmp_path / str(step)) == {FORMAT_ATTR: FORMAT, **IDENTITY}


def test_a_study_of_another_program_is_left_alone(tmp_path: Path) -> None:
    for name, attrs, trials in (("one", {"theirs": 1}, 0), ("two", {}, 1)):
        runs = tmp_path / name
        (runs / "tiny").mkdir(parents=True)
        study = optuna.create_study(
            study_name="tiny", storage=sqlite_url(runs / "tiny" / "study.db"), direction="maximize"
        )
        for key, value in attrs.items():
            study.set_user_attr(key, value)
        for _ in range(trials):
            study.ask()
        with pytest.raises(StudyError, match="`genome search` did not make; rename yours"):
            made(runs)
        assert study.user_attrs == attrs


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("kept", ["trials", "best"])
def test_a_study_whose_storage_is_lost_is_not_begun_again_in_its_folder(
    tmp_path: Path, kept: str, lose: Callable[[Path], None]
) -> None:
    made(tmp_path)
    (tmp_path / "tiny" / kept).mkdir()
    assert made(tmp_path)[FORMAT_ATTR] == FORMAT
    lose(tmp_path / "tiny" / "study.db")
    with pytest.raises(StudyError, match=f"has the {kept} of a study that is not in its storage"):
        made(tmp_path)
