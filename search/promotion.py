"""Promotion: which of the trials that pause at a rung goes on next.

The promoting form of asynchronous successive halving (Li et al., MLSys 2020, arXiv:1810.05934): whenever a slot is
free, a paused trial in the top third of its rung goes on, from the highest rung down. With several objectives a trial
stands where it does by how many others dominate it (Fonseca and Fleming, ICGA 1993), then by how alone it stands
(the crowding distance of Deb et al., IEEE TEC 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .brackets import bracket_of
from .pruning import HALVING_KEEPS, Climb

Keeps = Callable[[int], int]


def top_share(seen: int) -> int:
    """Return how many of so many trials at a rung go on while more may come."""
    return seen // HALVING_KEEPS


def last_share(seen: int) -> int:
    """Return how many go on when no more will come: the best of each rung in any case."""
    return max(1, top_share(seen))


def everyone(seen: int) -> int:
    """Return how many may go on when there is budget left that nothing else could use: all of them."""
    return seen


def candidates(
    rungs: Sequence[int], climbs: Mapping[int, Climb], paused: Collection[int], keeps: Keeps
) -> Iterator[int]:
    """Yield the paused trials that may go on, by number, those of the highest rung first, the best of each first.

    climbs: of all trials that were judged at a rung, also of those that ended.  keeps: how many of a rung go on.
    """
    for rung in reversed(rungs):
        for bracket in range(rungs.index(rung) + 1):
            here = peers(rungs, climbs, bracket, rung)
            going = ranked({number: climbs[number] for number in here}, rung)[: keeps(len(here))]
            yield from (n for n in going if n in paused and stands_at(rungs, climbs[n]) == rung)


def peers(rungs: Sequence[int], climbs: Mapping[int, Climb], bracket: int, rung: int) -> list[int]:
    """Return the trials of a bracket that reached a rung, by number."""
    return [n for n, c in climbs.items() if rung in c.scores and bracket_of(rungs, c.scores) == bracket]


def stands_at(rungs: Sequence[int], climb: Climb) -> int:
    """Return the highest rung that a trial reached."""
    return max(rung for rung in rungs if rung in climb.scores)


def ranked(climbs: Mapping[int, Climb], rung: int) -> list[int]:
    """Return the trials by what they reached at a rung and by their costs, the best first, the earlier of equals."""
    numbers = sorted(climbs)
    if not numbers:
        return []
    points = np.array([(-climbs[n].scores[rung], *climbs[n].costs) for n in numbers])
    if points.shape[1] == 1:
        order = np.argsort(points[:, 0], kind="stable")
    else:
        order = np.lexsort((-crowding(points), beaten_by(points)))
    return [numbers[i] for i in order]


def beaten_by(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return by how many others each point (N, costs) is dominated."""
    no_worse = np.ones((len(points), len(points)), dtype=bool)
    better = np.zeros_like(no_worse)
    for costs in points.T:
        no_worse &= costs[:, None] <= costs[None, :]
        better |= costs[:, None] < costs[None, :]
    count: NDArray[np.int64] = np.count_nonzero(no_worse & better, axis=0)
    return count


def crowding(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far apart the neighbours of each point (N, costs) are, of its own kind; infinite at the ends."""
    levels = beaten_by(points)
    distance = np.zeros(len(points))
    for level in np.unique(levels):
        (members,) = np.nonzero(levels == level)
        for costs in points[members].T:
            order = np.argsort(costs, kind="stable")
            spread = costs[order[-1]] - costs[order[0]] or 1.0
            distance[members[order[[0, -1]]]] = np.inf
            distance[members[order[1:-1]]] += (costs[order[2:]] - costs[order[:-2]]) / spread
    return distance
