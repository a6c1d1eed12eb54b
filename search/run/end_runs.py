"""Ending the runs of a study from another process, on any machine that reaches its storage."""

from __future__ import annotations

from pathlib import Path

from search.errors import StudyError
from search.results.refs import place_of
from search.run.ownership import Heartbeats, heartbeat_of
from search.run.stop import ask_to_stop
from search.storage.connect import sqlite_file
from search.storage.lock import is_held, lock_of
from search.storage.record import OWNER
from search.storage.study import Store, open_to_read, open_to_write
from search.storage.transactions import database_storage


def end_runs(study: str, runs: Path, data_root: str | None = None) -> str:
    """Request that all runs of a study, named by its name or its file, end; return its name.

    Raises StudyError where the study does not run, or cannot be written.
    """
    name, url = place_of(study, data_root)
    if not _is_running(open_to_read(name, runs, url)):
        raise StudyError(f"study {name} is not running; there is nothing to stop")
    with open_to_write(name, runs, url) as store:
        ask_to_stop(store)
    return name


def _is_running(store: Store) -> bool:
    """Whether a coordinator is alive: it holds the lock of an SQLite file, or was seen on a shared storage."""
    file = sqlite_file(database_storage(store.study).url)
    if file is not None:
        return is_held(lock_of(file, store.name))
    beats = Heartbeats.of(store)
    trials = store.study.get_trials(deepcopy=False)
    seen = {one.user_attrs[OWNER]: heartbeat_of(one) for one in trials if OWNER in one.user_attrs}
    return any(not beats.is_abandoned(name, at) for name, at in {**beats.seen, **seen}.items())
