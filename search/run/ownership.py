"""Ownership of trials on a shared storage: which coordinator has a trial, and whether that coordinator is alive."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from typing import TYPE_CHECKING

from search.storage.record import SEEN_AT
from search.storage.study import Store
from trainer.system.processes import is_same_start, started_at

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SILENT_SECONDS = 120.0  # a coordinator on another machine without a heartbeat for so long is dead
SETTLE_SECONDS = 0.5  # in which two coordinators that claim the same trial see each other's claim


def owner() -> str:
    """Return the name under which this process owns trials on a shared storage."""
    return f"{socket.gethostname()}:{os.getpid()}:{_own_start():.2f}"


@cache
def _own_start() -> float:
    return started_at(os.getpid()) or 0.0


def is_abandoned(store: Store, owned_by: str | None, seen_at: float | None) -> bool:
    """Whether no living coordinator has a trial: certain for an embedded study, whose lock this process holds.

    owned_by, seen_at: the name of the trial's coordinator, and the unix seconds of its last heartbeat.
    """
    return not store.shared or is_gone(owned_by, seen_at)


def is_gone(owned_by: str | None, seen_at: float | None) -> bool:
    """Whether a coordinator on a shared storage is dead: by its process on this machine, else by its heartbeat.

    A process that has the number of the coordinator and began at another time is another one. The clock of the system
    may have been set since, though: then the coordinator counts as dead only if it sent no heartbeat either.
    """
    host, number, start = (*(owned_by or "").split(":"), "", "")[:3]
    is_silent = time.time() - (seen_at or 0.0) > SILENT_SECONDS
    if host != socket.gethostname() or not number.isdecimal():
        return is_silent
    if int(number) == os.getpid():
        return owned_by != owner()
    found = started_at(int(number))
    return found is None or (bool(start) and not is_same_start(found, float(start)) and is_silent)


def heartbeat_of(trial: FrozenTrial) -> float:
    """Return when the coordinator of a trial last wrote to the trial, in unix seconds."""
    moments = [moment.timestamp() for moment in (trial.datetime_start, trial.datetime_complete) if moment]
    return float(max([trial.user_attrs.get(SEEN_AT, 0.0), *moments]))
