"""Credit of moves: each is tried in proportion to how often its children were better than their parents."""

from __future__ import annotations

from collections.abc import Sequence

from search.objective import dominates
from search.samplers.base import Individual
from search.samplers.selection import standing

MEMORY = 300  # trials that count
PRIOR = 2.0  # successes and failures, half and half, that each move is credited with at first
FLOOR = 0.02  # smallest chance of a move, whatever its credit


def chances(history: Sequence[Individual], words: Sequence[str], objectives: int) -> list[float]:
    """Return the chance of each move; they sum to 1 (probability matching: Thierens, GECCO 2005).

    A child of several moves counts for each of them.
    """
    paid, tried = dict.fromkeys(words, PRIOR / 2), dict.fromkeys(words, PRIOR)
    known = {one.number: one for one in history}
    for one in history[-MEMORY:]:
        if one.is_running or one.origin is None:
            continue
        parents = [known[number] for number in one.origin.parents if number in known]
        for word in [move.partition(" ")[0] for move in one.origin.moves] if parents else []:
            if word in tried:
                tried[word] += 1
                paid[word] += _beats(one, parents[0], objectives)
    shares = [paid[word] / tried[word] for word in words]
    whole, floor = sum(shares), FLOOR * len(words)
    return [FLOOR + (1.0 - floor) * share / whole for share in shares]


def _beats(child: Individual, parent: Individual, objectives: int) -> bool:
    """Whether a child is better; with several objectives, nowhere worse."""
    if objectives == 1 or not (child.is_measured and parent.is_measured):
        return standing(child) < standing(parent)
    assert child.costs is not None
    assert parent.costs is not None
    return dominates(child.costs, parent.costs)
