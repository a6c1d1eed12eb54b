"""Ownership of trials on a shared storage: which coordinator has a trial, and whether that coordinator is alive."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from search.formatting import some
from search.storage.connect import sqlite_file
from search.storage.lock import is_held, lock_of
from search.storage.record import OWNER, SEEN_AT, Record
from search.storage.study import Store
from search.storage.transactions import database_storage
from trainer.system.processes import is_same_start, started_at

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SILENT_SECONDS = 120.0  # a coordinator on another machine without a heartbeat for so long is dead
SETTLE_SECONDS = 0.5  # in which two coordinators that claim the same trial see each other's claim


def owner() -> str:
    """Return the name under which this process owns trials on a shared storage."""
    return f"{socket.gethostname()}:{os.getpid()}:{_own_start():.2f}"


def process(owner: str) -> str:
    """Return an owner as people read it: the host and the process, without the moment of its start."""
    return owner.rpartition(":")[0] if owner.count(":") > 1 else owner


@cache
def _own_start() -> float:
    return started_at(os.getpid()) or 0.0


class Heartbeats(NamedTuple):
    """When each coordinator of a shared storage was last seen, by the clock of the database, and what it shows now.

    The clocks of the machines play no part: one that jumps, or is wrong, makes no coordinator look dead.
    """

    shared: bool
    now: float  # unix seconds
    seen: Mapping[str, float]  # by coordinator; each meters its trainings several times a second

    @classmethod
    def of(cls, store: Store) -> Heartbeats:
        """Read the heartbeats. An embedded study needs none: this process holds its lock."""
        if not store.shared:
            return cls(False, 0.0, {})
        return cls(True, store.ledger.now(), store.ledger.heartbeats())

    def is_abandoned(self, owned_by: str | None, seen_at: float | None) -> bool:
        """Whether no living coordinator has a trial: certain for an embedded study.

        owned_by, seen_at: the name of the trial's coordinator, and the last heartbeat that the trial itself stores.
        """
        return not self.shared or is_gone(owned_by, self.last(owned_by, seen_at), self.now)

    def last(self, owned_by: str | None, seen_at: float | None) -> float:
        """Return the last heartbeat of a coordinator."""
        return max(seen_at or 0.0, self.seen.get(owned_by or "", 0.0))

    def has_left(self, trial: FrozenTrial) -> bool:
        """Whether no living coordinator has this trial."""
        return self.is_abandoned(trial.user_attrs.get(OWNER), heartbeat_of(trial))


def is_gone(owned_by: str | None, seen_at: float | None, now: float) -> bool:
    """Whether a coordinator on a shared storage is dead: by its process on this machine, else by its heartbeat.

    now: unix seconds by the clock that the heartbeat is of.

    A process that has the number of the coordinator and began at another time is another one. The clock of the system
    may have been set since, though: then the coordinator counts as dead only if it sent no heartbeat either.
    """
    host, number, start = (*(owned_by or "").split(":"), "", "")[:3]
    is_silent = now - (seen_at or 0.0) > SILENT_SECONDS
    if host != socket.gethostname() or not number.isdecimal():
        return is_silent
    if int(number) == os.getpid():
        return owned_by != owner()
    found = started_at(int(number))
    return found is None or (bool(start) and not is_same_start(found, float(start)) and is_silent)


def heartbeat_of(trial: FrozenTrial) -> float:
    """Return when the coordinator of a trial last wrote to the trial, in unix seconds.

    Trials of earlier versions may have no heartbeat but the times that Optuna stores.
    """
    if SEEN_AT in trial.user_attrs:
        return float(trial.user_attrs[SEEN_AT])
    moments = [moment.timestamp() for moment in (trial.datetime_start, trial.datetime_complete) if moment]
    return max(moments, default=0.0)


def is_running(store: Store) -> bool:
    """Whether a coordinator is alive: it holds the lock of an SQLite file, or was seen on a shared storage."""
    file = sqlite_file(database_storage(store.study).url)
    if file is not None:
        return is_held(lock_of(file, store.name))
    beats = Heartbeats.of(store)
    trials = store.study.get_trials(deepcopy=False)
    seen = {one.user_attrs[OWNER]: heartbeat_of(one) for one in trials if OWNER in one.user_attrs}
    return any(not beats.is_abandoned(name, at) for name, at in {**beats.seen, **seen}.items())


def left_by_a_kill(store: Store, records: Iterable[Record]) -> str:
    """Return what a run that was killed left in the middle; empty where it left nothing, or where a run goes on."""
    said = killed_in(records)
    return said if said and not is_running(store) else ""


def killed_in(records: Iterable[Record]) -> str:
    """Return what is to be said of a study that no run has, and whose trainings are stored as running; empty if none.

    A finale trains one seed of a trial at a time.
    """
    left = sum(
        one.outcome == "running"
        for record in records
        for one in (record, *(record.finale.seeds.values() if record.finale else ()))
    )
    if not left:
        return ""
    trainings = some(left, "training")
    return (
        f"no run of this study is alive, and the last was killed in {trainings}; `genome search` resumes it"
    )
