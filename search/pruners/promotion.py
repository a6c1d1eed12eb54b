"""Promotion: which of the trials that pause at a rung goes on next.

The promoting form of asynchronous successive halving (Li et al., MLSys 2020, arXiv:1810.05934): whenever a slot is
free, a paused trial in the top third of its rung goes on, from the highest rung down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from search.pareto import order
from search.pruners.brackets import bracket_of
from search.pruners.rules import HALVING_KEEPS, Climb

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

    climbs: of all trials that were judged at a rung, also of those that ended.
    keeps: how many trials of a rung go on.
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
    return [numbers[i] for i in order(points)]
