"""The choice among networks that were trained with the same seeds: the smallest that cannot be told from the best.

The rule of one standard error: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section
3.4.3. The error is that of the best mean over its seeds, on the same validation images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from search.formatting import some
from search.objective import Objective, formatted
from search.storage.record import Record
from search.storage.seed_results import SeedResults, Spread

Seeds: TypeAlias = Set[int | None]


@dataclass(frozen=True)
class Choice:
    """Networks that were trained with the same seeds, two or more, and which of them is handed out."""

    # the best mean first
    ranked: tuple[Record, ...]
    # of these, those whose mean is at most one standard error behind the best mean
    alike: tuple[Record, ...]
    # of these, the smallest
    chosen: Record
    # those of each network, None for the training of the search
    seeds: Seeds
    goal: Objective

    def sentence(self) -> str:
        """Return why a network is handed out that has not the best mean, empty where it has."""
        best, chosen = self.ranked[0], self.chosen
        if chosen is best:
            return ""
        return (
            f"of {some(len(self.alike), 'network')} within one standard error of the best mean, trial {chosen.number} "
            f"is the smallest: {self._told(chosen)}, where trial {best.number} has {self._told(best)}"
        )

    def _told(self, record: Record) -> str:
        assert record.finale is not None
        mean = record.finale.spread(self.goal.name, self.seeds)
        return f"{self.goal.name} {mean} with {formatted('params', record.params)} params"


def choice(compared: Sequence[tuple[Record, SeedResults]], seeds: Seeds, goal: Objective) -> Choice:
    """Return the choice among one network or more. seeds: those that each was trained with.

    Raises AssertionError for a network without such a seed.
    """
    means = {record.number: _means(finale, seeds, goal) for record, finale in compared}

    def costs(record: Record) -> tuple[float, float, int]:
        value, loss = means[record.number]
        return goal.cost(value.mean), loss.mean, record.number

    ranked = sorted((record for record, _ in compared), key=costs)
    most = costs(ranked[0])[0] + means[ranked[0].number][0].standard_error
    alike = [record for record in ranked if costs(record)[0] <= most]
    return Choice(tuple(ranked), tuple(alike), min(alike, key=size), frozenset(seeds), goal)


def _means(finale: SeedResults, seeds: Seeds, goal: Objective) -> tuple[Spread, Spread]:
    value, loss = finale.spread(goal.name, seeds), finale.spread("loss", seeds)
    assert value is not None
    assert loss is not None
    return value, loss


def size(record: Record) -> tuple[float, float]:
    """Return params, then multiply-adds; what is not known is not small."""
    unknown = math.inf
    return (
        unknown if record.params is None else record.params,
        unknown if record.macs is None else record.macs,
    )
