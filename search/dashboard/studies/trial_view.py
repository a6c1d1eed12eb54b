"""A trial as the pages show it: its record, its start and end, its owner, and the node types of its genome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from search.objective import MEASURES, Source
from search.run.ownership import is_gone
from search.storage.record import OWNER, SEEN_AT, Record, record
from search.storage.seed_results import SeedResults
from search.storage.sql_reader import TrialRow

BETWEEN_SECONDS = 5.0  # longest pause of a coordinator between two trials, or before the finale
_OP = re.compile(r"\{op: ([a-z_0-9]+)")
# metrics that follow from the genome alone, with the field of a record that holds each of them
PLANNED = {one.name: one.field for one in MEASURES.values() if one.source is Source.PLAN}


@dataclass(frozen=True)
class TrialView:
    """A trial as the pages show it."""

    record: Record
    began: datetime | None = None
    ended: datetime | None = None
    sign: float | None = None  # unix seconds of the last heartbeat of its owner, on a shared storage
    owner: str | None = None  # the coordinator that runs the trial, on a shared storage
    is_left: bool = False  # whether no run of the study is alive: what is stored as running was killed

    @cached_property
    def ops(self) -> frozenset[str]:
        """The node types of the genome, found by their pattern: no name in a canonical text can hold a brace."""
        _, _, nodes = (self.record.genome or "").partition("\nnodes:\n")
        return frozenset(_OP.findall(nodes))

    def is_active(self, now: float) -> bool:
        """Whether a coordinator on a shared storage works on the trial now, or did a moment ago. now: unix seconds."""
        finale = self.record.finale.seeds.values() if self.record.finale else ()
        if any(one.outcome == "running" and not is_gone(one.owner, one.seen_at, now) for one in finale):
            return True
        last = max((moment.timestamp() for moment in (self.began, self.ended) if moment), default=0.0)
        if self.owner is None or (self.ended is not None and now - last > BETWEEN_SECONDS):
            return False
        return not is_gone(self.owner, max(self.sign or 0.0, last), now)

    @property
    def outcome(self) -> str:
        """How the trial ended; `reused` for a duplicate, which has the result of an earlier trial."""
        return "reused" if self.record.reused is not None else self.alive(self.record.outcome)

    def left(self) -> TrialView:
        """Return the trial as one of a study that no run has."""
        finale = self.record.finale.seeds.values() if self.record.finale else ()
        is_running = any(one.outcome == "running" for one in (self.record, *finale))
        return replace(self, is_left=True) if is_running else self

    def alive(self, outcome: str) -> str:
        """Return a stored outcome of this trial or of a seed of it; what was killed while it ran was interrupted."""
        return "interrupted" if self.is_left and outcome == "running" else outcome

    @property
    def parents(self) -> Mapping[int, str]:
        """The trials from which this trial comes, by number, each with the kinds of the relation."""
        found: dict[int, list[str]] = {}
        made = self.record
        if made.origin:
            for number in made.origin.parents:
                found.setdefault(number, []).append("parent")
        if made.inherited and isinstance(made.inherited.get("from"), int):
            found.setdefault(made.inherited["from"], []).append("gave weights")
        if made.retry_of is not None:
            found.setdefault(made.retry_of, []).append("interrupted, repeated here")
        if made.reused is not None:
            found.setdefault(made.reused, []).append("the same network")
        return {number: ", ".join(dict.fromkeys(hows)) for number, hows in found.items()}

    def metric(self, name: str) -> float | None:
        """Return the value of a metric; the metrics that follow from the genome are known without training."""
        if name in self.record.metrics:
            return self.record.metrics[name]
        value: float | None = getattr(self.record, PLANNED[name]) if name in PLANNED else None
        return value


def column_value(one: TrialView, column: str) -> float | None:
    """Return a metric of a trial, or another number of its record; None where the trial has none."""
    if column in MEASURES:
        return one.metric(column)
    if column == "seconds":  # without the finale, so that trials can be compared
        return one.record.search_seconds
    value: float | None = getattr(one.record, column)
    return value


def trial_view(
    trial: TrialRow, finale: SeedResults | None, charged: float | None = None, seen_at: float | None = None
) -> TrialView:
    """Return the view of a trial of the storage.

    charged: what the ledger has of the trial without its finale. seen_at: the last heartbeat of its coordinator.
    """
    sign, owner = trial.user_attrs.get(SEEN_AT), trial.user_attrs.get(OWNER)
    sign = max(filter(None, (sign, seen_at)), default=None)
    return TrialView(
        record(trial, finale, charged), trial.datetime_start, trial.datetime_complete, sign, owner
    )
