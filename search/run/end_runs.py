"""Ending the runs of a study from another process, on any machine that reaches its storage."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from search.errors import StudyError
from search.results.refs import place_of
from search.run.ownership import is_running
from search.run.stop import ask_to_stop
from search.storage.study import open_to_read, open_to_write


def end_runs(study: str, runs: Path, data_root: str | None = None) -> str:
    """Request that all runs of a study, named by its name or its file, end; return its name.

    Raises StudyError where the study does not run, or cannot be written.
    """
    name, url = place_of(study, data_root)
    with closing(open_to_read(name, runs, url)) as store:
        if not is_running(store):
            raise StudyError(f"study {name} is not running; there is nothing to stop")
    with open_to_write(name, runs, url) as store:
        ask_to_stop(store)
    return name
