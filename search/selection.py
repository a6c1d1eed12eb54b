"""Who becomes a parent: tournaments of the young for one objective, of the unbeaten for several."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeAlias

import numpy as np

from .proposal import Individual

YOUNG = 40  # of one objective, parents are among this many of the last trials
BEST = 20  # of several, among this many of the best
TOURNAMENT = 8
PAIR = 2  # of a tournament by rank, as in NSGA-II

Key: TypeAlias = tuple[float, ...]  # lower is better


def standing(one: Individual) -> Key:
    """Return how good a trial was of one objective: inside the limits first, then trained to the end, then cheap."""
    if one.violation > 0 or one.costs is None:
        return (1.0, one.violation, 0.0, 0.0)
    return (0.0, 0.0, 1.0 - one.progress, one.costs[0])


def pool(past: Sequence[Individual], objectives: int) -> list[Individual]:
    """Return the trials that may become parents, the best first.

    One objective: of the youngest, so that a lucky measurement does not breed for ever (Real et al., AAAI 2019,
    arXiv:1802.01548). Several: the best by rank and crowding (Deb et al., IEEE TEVC 2002). Where nothing inside
    the limits was measured yet, those that broke them least.
    """
    good = [one for one in past if one.is_measured and one.violation <= 0]
    if not good:
        broken = [one for one in past if one.violation > 0]
        return sorted(broken, key=standing)[:BEST]
    if objectives == 1:
        return sorted(good[-YOUNG:], key=standing)
    whole = [one for one in good if one.progress >= 1.0] or good
    return [whole[i] for i in ranked([one.costs or () for one in whole])[:BEST]]


def pick(parents: Sequence[Individual], objectives: int, rng: Random) -> Individual:
    """Return the winner of a tournament; `parents` has the best first."""
    size = TOURNAMENT if objectives == 1 else PAIR
    return parents[min(rng.randrange(len(parents)) for _ in range(size))]


def ranked(costs: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of these cost vectors from best to worst: by front, then the least crowded first."""
    from optuna.study._multi_objective import _fast_non_domination_rank

    table = np.asarray(costs, dtype=float)
    ranks = _fast_non_domination_rank(table)
    crowding = np.zeros(len(table))
    for rank in np.unique(ranks):
        members = np.flatnonzero(ranks == rank)
        crowding[members] = _crowding(table[members])
    return [int(i) for i in np.lexsort((-crowding, ranks))]


def _crowding(front: np.ndarray) -> np.ndarray:
    """The perimeter of the box between a point's neighbours, each objective in units of the front's range."""
    total = np.zeros(len(front))
    for column in front.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        total[order[0]] = total[order[-1]] = np.inf
        if spread > 0 and len(front) > 2:
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return total
