"""Extrapolation: the costs that trials which ended early would have had, so that they compare with whole trainings.

A trial that was pruned at a rung has the cost of a brief training. Compared with the costs of whole trainings, it says
above all that the trial was pruned; compared with other trials at the same rung, it says how good the network is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from search.samplers.base import Individual

FEWEST = 2  # trials that went further, which a line is fitted to
PRIOR = 2.0  # trials, spread as all at the rung are, that gained alike: a slope of 1 where few went further
FLATTEST = 0.1  # slope: the trial that is ahead at a rung is expected to stay ahead
MOST_RUNGS = 3  # at which trials are seen on the way: those where most ended; rules may end them at any epoch


class Sight(NamedTuple):
    """The costs of one trial at a rung or at its end, extrapolated to a whole training."""

    # its place among the measured trials
    trial: int
    # whether it is of a rung, not of a training to the end
    is_brief: bool
    # share of a whole training after which it was measured
    progress: float
    # (objectives,)
    costs: np.ndarray


def sights(measured: Sequence[Individual]) -> list[Sight]:
    """Return all that was seen of measured trials: first where each ended, in their order, then on the way.

    On the way those rungs count at which most ended. The cost that falls in training is foreseen there by a line
    through the trials that went further, from their costs at that rung to what they came to, the last rung first.
    Such a fit is not bent by who was let go on: that was decided by the rung's cost, which the line is a function of.
    """
    costs = np.array([one.costs for one in measured], dtype=float)
    ends = np.array([_ended_at(one) for one in measured])
    rungs = Counter(end for end in ends if np.isfinite(end))
    usual = {rung for rung, _ in rungs.most_common(MOST_RUNGS)}
    passed: list[Sight] = []
    for rung in sorted(rungs, reverse=True):
        here = [i for i, one in enumerate(measured) if rung in dict(one.climb)]
        at = np.array([dict(measured[i].climb)[rung] for i in here])
        ended = ends[here] == rung
        one = measured[here[int(ended.argmax())]]
        if (~ended).sum() >= FEWEST:
            came_to = costs[[i for i, left in zip(here, ended, strict=True) if not left], one.goal]
            for i, left, foreseen in zip(here, ended, _line(at[~ended], came_to, at), strict=True):
                if left:
                    costs[i, one.goal] = foreseen
                elif rung in usual:
                    passed.append(Sight(i, True, one.progress, _with(costs[i], one.goal, foreseen)))
    last = [Sight(i, bool(np.isfinite(end)), measured[i].progress, costs[i]) for i, end in enumerate(ends)]
    return [*last, *passed]


def _with(costs: np.ndarray, goal: int, cost: float) -> np.ndarray:
    return np.where(np.arange(len(costs)) == goal, cost, costs)


def _ended_at(one: Individual) -> float:
    """The rung whose cost is all that is known of a trial; none for one that was trained to the end, or cut."""
    is_early = one.progress < 1.0 and one.climb and one.costs and one.climb[-1][1] == one.costs[one.goal]
    return one.climb[-1][0] if is_early else np.inf


def _line(x: np.ndarray, y: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """Return what a line from x to y gives for everyone."""
    prior = PRIOR * everyone.var()
    apart = x - x.mean()
    slope = (apart @ (y - y.mean()) + prior) / max(apart @ apart + prior, 1e-12)
    return np.asarray(y.mean() + max(slope, FLATTEST) * (everyone - x.mean()))
