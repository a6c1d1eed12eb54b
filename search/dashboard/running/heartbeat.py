"""The last sign of a search: a training that was metered, several times a second, or a trial that began or ended."""

from __future__ import annotations

import time
from datetime import datetime
from typing import NamedTuple

from search.dashboard.studies.snapshot import Snapshot
from search.storage.ledger import LIVE_SECONDS


class Heartbeat(NamedTuple):
    """The last sign of a search."""

    at: datetime | None  # local time; None before the first
    age_seconds: float | None
    is_silent: bool  # whether trainings run and nothing meters them


def heartbeat(snapshot: Snapshot) -> Heartbeat:
    """Return the last sign of a search."""
    seen = snapshot.seen_at
    age = None if seen is None else max(time.time() - seen.timestamp(), 0.0)
    is_training = any(line.reserved for line in snapshot.sums.lines)
    is_silent = snapshot.is_running and is_training and age is not None and age > LIVE_SECONDS
    return Heartbeat(seen, age, is_silent)
