"""A trial as the pages show it: its record, when it ran, and which node types its genome has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from search.over_seeds import OverSeeds
from search.record import SEEN_AT, Record, record
from search.tables import Row

_OP = re.compile(r"\{op: ([a-z_0-9]+)")
PLANNED = {
    "params": "params",
    "macs": "macs",
    "memory": "memory_bytes",
}  # metrics that a record has by itself


@dataclass(frozen=True)
class Seen:
    """One trial. `sign`: the last sign of life that its coordinator gave on a shared storage, in unix seconds."""

    record: Record
    began: datetime | None = None
    ended: datetime | None = None
    sign: float | None = None

    @cached_property
    def ops(self) -> frozenset[str]:
        """The node types of its genome. No name in a canonical text can hold a brace."""
        _, _, nodes = (self.record.genome or "").partition("\nnodes:\n")
        return frozenset(_OP.findall(nodes))

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


def seen(trial: Row, finale: OverSeeds | None) -> Seen:
    """Return a trial as the pages show it."""
    sign = trial.user_attrs.get(SEEN_AT)
    return Seen(record(trial, finale), trial.datetime_start, trial.datetime_complete, sign)
