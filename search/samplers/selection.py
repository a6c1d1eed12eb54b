"""Selection of parents: tournaments among the youngest trials for one objective, among the best for several."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeAlias

import numpy as np

from search.pareto import order
from search.samplers.base import Individual

YOUNG = 40  # last trials among which parents are chosen, for one objective
BEST = 20  # best trials among which parents are chosen, for several objectives
TOURNAMENT = 8
PAIR = 2  # of a tournament by rank, as in NSGA-II

Key: TypeAlias = tuple[float, ...]  # lower is better


def standing(one: Individual) -> Key:
    """Return the rank of a trial for one objective: inside the limits first, then trained to the end, then by cost.

    Of perfect networks the smallest is first.
    """
    if one.violation > 0 or one.costs is None:
        return (1.0, one.violation, 0.0, 0.0, 0.0)
    return (0.0, 0.0, 1.0 - one.progress, one.costs[0], float(one.perfect_params or 0))


def pool(history: Sequence[Individual], objectives: int) -> list[Individual]:
    """Return the trials that may become parents, the best first.

    For one objective these are the youngest, so that a lucky measurement is not a parent for ever (Real et al., AAAI
    2019, arXiv:1802.01548); for several the best of all (see `search.pareto`). Where no trial inside the limits was
    measured yet, these are the trials that broke them least.
    """
    good = [one for one in history if one.is_measured and one.violation <= 0]
    if not good:
        broken = [one for one in history if one.violation > 0]
        return sorted(broken, key=standing)[:BEST]
    if objectives == 1:
        return sorted(good[-YOUNG:], key=standing)
    whole = [one for one in good if one.progress >= 1.0] or good
    return [whole[i] for i in order(np.array([one.costs for one in whole], dtype=float))[:BEST]]


def pick(parents: Sequence[Individual], objectives: int, rng: Random) -> Individual:
    """Return the winner of a tournament; `parents` has the best first."""
    size = TOURNAMENT if objectives == 1 else PAIR
    return parents[min(rng.randrange(len(parents)) for _ in range(size))]
