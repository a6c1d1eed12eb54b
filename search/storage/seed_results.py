"""The results of the finale, which retrains a network with several seeds, and how they are stored.

Optuna forbids writes to a finished trial, so the result of each training is one attribute of the study, whose name has
the numbers of the trial and the seed. One coordinator writes it, as a whole.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from search.objective import Objective

NOTHING: Mapping[tuple[int, int | None], float] = MappingProxyType({})
KEY = re.compile(r"finale:(\d+):(\d+)")


class SeedResult(NamedTuple):
    """The result of training one network with one seed."""

    # running, interrupted, done, cut (at its limit), short (cut before the epochs of the search) or failed
    outcome: str
    # of the recipe
    epochs: int
    # device seconds charged in all runs of the study
    seconds: float = 0.0
    # of these, the device seconds charged before the present run
    earlier_seconds: float = 0.0
    kind: str | None = None
    reason: str | None = None
    accuracy: float | None = None
    loss: float | None = None
    # coordinator and the unix seconds of its last heartbeat, on shared storages
    owner: str | None = None
    seen_at: float | None = None
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    auc: float | None = None

    @property
    def is_measured(self) -> bool:
        return self.outcome in ("done", "cut")

    @property
    def is_over(self) -> bool:
        return self.is_measured or self.outcome in ("short", "failed")

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value is not None}


class Spread(NamedTuple):
    """Mean and sample standard deviation over seeds."""

    mean: float
    # None for a single seed
    deviation: float | None
    # how many
    seeds: int

    @property
    def standard_error(self) -> float:
        """The standard error of the mean; 0 for a single seed, which says nothing of it."""
        return 0.0 if self.deviation is None else self.deviation / math.sqrt(self.seeds)

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.4f}"
        return f"{self.mean:.4f}{spread} ({'one seed' if self.seeds == 1 else self.seeds})"


@dataclass(frozen=True)
class SeedResults:
    """The results of one network, by seed."""

    seeds: Mapping[int, SeedResult]
    # the training of the search, with its own seed
    search: SeedResult | None = None
    # whether the search trained the network as the finale does: from scratch, to the last epoch
    is_search_compared: bool = True

    @property
    def measured(self) -> dict[int, SeedResult]:
        """The results of the finale."""
        return {seed: one for seed, one in self.seeds.items() if one.is_measured}

    @property
    def trainings(self) -> dict[int | None, SeedResult]:
        """The results of the finale, and with the key None that of the search."""
        found: dict[int | None, SeedResult] = {None: self.search} if self.search else {}
        return found | dict[int | None, SeedResult](self.measured.items())

    @property
    def compared(self) -> dict[int | None, SeedResult]:
        """The trainings that may be compared with those of another network."""
        searched, found = self.search, self.trainings
        is_alike = searched is not None and all(one.epochs == searched.epochs for one in found.values())
        if not (is_alike and self.is_search_compared):
            found.pop(None, None)
        return found

    @property
    def is_failed(self) -> bool:
        """Whether a training failed: the network is not reliable."""
        return any(one.outcome == "failed" for one in self.seeds.values())

    @property
    def seconds(self) -> float:
        """The device seconds that were charged for all seeds."""
        return sum(one.seconds for one in self.seeds.values())

    def spread(self, name: str, among: Iterable[int | None] | None = None) -> Spread | None:
        """Return mean and deviation of a score over these trainings, by default all that are compared."""
        compared = self.compared
        values = [getattr(compared[seed], name) for seed in (compared if among is None else among)]
        if not values:
            return None
        return Spread(
            statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values)
        )

    def best(self, goal: Objective) -> int | None:
        """Return the seed with the best result on the validation images, None where that is the search's own."""
        return _best(self.trainings, goal)

    def best_of_finale(self, goal: Objective) -> int | None:
        """Return the best seed of the finale, None where no seed was measured."""
        return _best(self.measured, goal)

    def to_json(self) -> dict[str, Any]:
        """Return the spread of accuracy and loss, and each training, as plain values."""
        spreads = {name: self.spread(name) for name in ("accuracy", "loss")}
        return {
            **{name: spread._asdict() if spread else None for name, spread in spreads.items()},
            "search": self.search.to_json() if self.search else None,
            "seeds": {str(seed): one.to_json() for seed, one in self.seeds.items()},
        }


def _best(trainings: Mapping[Any, SeedResult], goal: Objective) -> int | None:
    def cost(seed: int | None) -> tuple[float, ...]:
        one = trainings[seed]
        assert one.accuracy is not None and one.loss is not None
        return goal.cost(getattr(one, goal.name)), one.loss, -1 if seed is None else seed

    return min(trainings, key=cost, default=None)


def seed_key(number: int, seed: int) -> str:
    """Return the name of the attribute of the study that stores the result of one seed."""
    return f"finale:{number}:{seed}"


def read_seed_results(
    attrs: Mapping[str, Any], charges: Mapping[tuple[int, int | None], float] = NOTHING
) -> dict[int, SeedResults]:
    """Read the results of the finale from the attributes of a study; they are by the number of the trial.

    charges: what the ledger has of each trial and seed; what it does not have, an earlier version charged.
    """
    found: dict[int, dict[int, SeedResult]] = {}
    for name, stored in attrs.items():
        if match := KEY.fullmatch(name):
            number, seed, one = int(match[1]), int(match[2]), SeedResult(**stored)
            paid = charges.get((number, seed), one.seconds)
            found.setdefault(number, {})[seed] = one._replace(seconds=paid)
    return {number: SeedResults(dict(sorted(seeds.items()))) for number, seeds in found.items()}
