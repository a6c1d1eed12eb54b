"""Which sampler acts now and why, and by whom the last networks were proposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from search.dashboard.studies.snapshot import Snapshot
from search.samplers.auto import Auto, chosen
from search.samplers.evolve import INITIAL
from search.storage.record import Record

RECENT = 20  # newest proposals that are counted


class Timing(NamedTuple):
    """A trial as far as the choice of `auto` reads it."""

    is_measured: bool
    seconds: float
    progress: float  # share of a whole training


class Acting(NamedTuple):
    """The sampler that acts."""

    sampler: str
    why: str
    recent: Mapping[str, int]  # of the newest proposals, by whom they came, the most frequent first


def acting(snapshot: Snapshot) -> Acting:
    """Return the sampler that proposes the next network, and why it is this one."""
    name, epochs = snapshot.config.sampler, snapshot.config.recipe.epochs
    why = "the study file names it"
    if name == Auto.name:
        timings = [_timing(record, epochs) for record in snapshot.records if _is_member(record)]
        name, why = chosen(timings)
        measured = sum(one.is_measured and one.seconds > 0 for one in timings)
        why = f"chosen by auto: {why or f'{measured} of the first {INITIAL} networks are trained'}"
    origins = [r.origin.by for r in snapshot.records if r.origin is not None]
    return Acting(name, why, dict(Counter(origins[-RECENT:]).most_common()))


def _is_member(record: Record) -> bool:
    """Whether the search's sampler is told of a trial: it has a network, which the space of the study holds."""
    return record.genome is not None and not (record.origin and record.origin.is_outside)


def _timing(record: Record, epochs: int) -> Timing:
    is_early = record.outcome in ("pruned", "paused") and bool(record.rungs)
    progress = min(1.0, (record.epochs or 0) / epochs)
    return Timing(record.values is not None or is_early, record.search_seconds, progress)
