"""What the device time of a study went on, in four ways, and when it will be spent at the present pace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from search.dashboard.studies.snapshot import Snapshot
from search.run.ownership import process
from search.storage.ledger import EARLIER, Entry

PACE_SECONDS = 120.0  # of the clock, over which the pace is measured
UNKNOWN = "not stored"  # the sampler of a trial of another program


class Spent(NamedTuple):
    """What one phase, worker, sampler or outcome has cost."""

    name: str
    trials: int  # or trainings
    seconds: float  # of device time
    share: float  # of what all of its table have cost


class Pace(NamedTuple):
    """How fast a study spends."""

    rate: float  # device seconds in a second of the clock
    left_seconds: (
        float | None
    )  # of the clock, until nothing is left; None where nothing is spent, or without a limit


def spending(snapshot: Snapshot) -> dict[str, list[Spent]]:
    """Return what was spent by phase, worker, sampler and outcome, the most first.

    Sampler and outcome are those of the search; what the finale spent on the same networks has a row of its own.
    """
    lines = snapshot.statement.lines
    finale = sum(r.finale.seconds for r in snapshot.records if r.finale)
    trainings = sum(len(r.finale.seeds) for r in snapshot.records if r.finale)
    rest = [("the finale", trainings, finale)] if finale else []
    trials = snapshot.trials
    return {
        "phase": _table((line.phase, line.trainings, line.seconds) for line in lines),
        "worker": _table(
            (f"{process(line.worker)}{f', {line.device}' if line.device else ''}", line.trainings, line.seconds)
            for line in lines
        ),
        "sampler": _table(
            [
                *((t.record.origin.by if t.record.origin else UNKNOWN, 1, t.record.search_seconds) for t in trials),
                *rest,
            ]
        ),
        "outcome": _table([*((t.outcome, 1, t.record.search_seconds) for t in trials), *rest]),
    }  # fmt: skip


def _table(given: Iterable[tuple[str, int, float]]) -> list[Spent]:
    counts: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for name, count, paid in given:
        counts[name] = counts.get(name, 0) + count
        seconds[name] = seconds.get(name, 0.0) + paid
    whole = sum(seconds.values()) or 1.0
    return sorted(
        (Spent(name, counts[name], paid, paid / whole) for name, paid in seconds.items()),
        key=lambda one: (-one.seconds, one.name),
    )


def pace(entries: Sequence[Entry], left_seconds: float | None) -> Pace | None:
    """Return the pace of the last two minutes before the last metering; None where nothing was metered.

    left_seconds: device seconds that can still be spent.
    """
    metered = [one for one in entries if one.worker != EARLIER]
    if not metered:
        return None
    now, first = max(one.seen_at for one in metered), min(one.begun_at for one in metered)
    since = max(now - PACE_SECONDS, first)
    spent = sum(one.seconds * _within(one, since) for one in metered)
    rate = spent / (now - since) if now > since else 0.0
    return Pace(rate, left_seconds / rate if rate > 0 and left_seconds is not None else None)


def _within(entry: Entry, since: float) -> float:
    """The share of a training's time that lies after a moment."""
    whole = entry.seen_at - entry.begun_at
    if whole <= 0:
        return float(entry.begun_at >= since)
    return max(entry.seen_at - max(entry.begun_at, since), 0.0) / whole
