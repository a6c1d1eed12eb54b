"""A trial as the pages show it: its record, when it ran, and which node types its genome has."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from search.run.ownership import is_gone
from search.storage.record import OWNER, SEEN_AT, Record, record
from search.storage.seed_results import OverSeeds
from search.storage.sql_reader import Row

BETWEEN_SECONDS = 5.0  # from the end of a trial to the begin of the next, or of the finale
_OP = re.compile(r"\{op: ([a-z_0-9]+)")
PLANNED = {
    "params": "params",
    "macs": "macs",
    "memory": "memory_bytes",
}  # metrics that a record has by itself


@dataclass(frozen=True)
class TrialView:
    """One trial.

    owner: its coordinator, on a shared storage.  sign: when that last gave a sign of life by it, in unix seconds.
    """

    record: Record
    began: datetime | None = None
    ended: datetime | None = None
    sign: float | None = None
    owner: str | None = None

    @cached_property
    def ops(self) -> frozenset[str]:
        """The node types of its genome. No name in a canonical text can hold a brace."""
        _, _, nodes = (self.record.genome or "").partition("\nnodes:\n")
        return frozenset(_OP.findall(nodes))

    @property
    def is_in_hand(self) -> bool:
        """Whether a coordinator on a shared storage works on it now, or did so a moment ago."""
        finale = self.record.finale.seeds.values() if self.record.finale else ()
        if any(one.outcome == "running" and not is_gone(one.owner, one.seen_at) for one in finale):
            return True
        last = max((moment.timestamp() for moment in (self.began, self.ended) if moment), default=0.0)
        if self.owner is None or (self.ended is not None and time.time() - last > BETWEEN_SECONDS):
            return False
        return not is_gone(self.owner, max(self.sign or 0.0, last))

    @property
    def outcome(self) -> str:
        """What became of it; `reused` where its network had been trained before."""
        return "reused" if self.record.reused is not None else self.record.outcome

    @property
    def parents(self) -> Mapping[int, str]:
        """The trials that it came from, and how, each once."""
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
        """Return an objective's value, of a trial that ended early too; what the plan says needs no training."""
        if name in self.record.metrics:
            return self.record.metrics[name]
        value: float | None = getattr(self.record, PLANNED[name]) if name in PLANNED else None
        return value


def trial_view(trial: Row, finale: OverSeeds | None) -> TrialView:
    """Return a trial as the pages show it."""
    sign, owner = trial.user_attrs.get(SEEN_AT), trial.user_attrs.get(OWNER)
    return TrialView(record(trial, finale), trial.datetime_start, trial.datetime_complete, sign, owner)
