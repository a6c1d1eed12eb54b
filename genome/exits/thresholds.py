"""Thresholds for every mean cost, from what the exits say of validation images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genome.exits.coordinates import walked
from genome.exits.grid import MOST_CELLS, cells_of, screened
from genome.exits.scores import SCORES, Numbers
from genome.exits.table import Levels, Table, Trade, midpoints, unbeaten

# the thresholds of entropy that the paper's code screens for LeNet and ResNet, those for AlexNet among them
PAPER = (1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)


def solved(table: Table, word: str, base: Sequence[float] = PAPER) -> list[Trade]:
    """The best levels for every mean cost, the cheapest first: none of them beats another in cost and accuracy.

    Three searches are united: every combination of a fine grid at the images' own certainties (all of them, where
    these are few), every combination of `base` thresholds, as the paper screens them, and a coordinate search between
    any two images. They are never worse than the screening over `base`, as long as its combinations are no more than
    `MOST_CELLS`.

    word: the score of the table.
    """
    exits = len(table.certainty)
    ends = _ends(word, exits)
    fine = [
        _closed(midpoints(row, _per_exit(exits) - 2), *end)
        for row, end in zip(table.certainty, ends, strict=True)
    ]
    coarse = [_closed(np.sort(SCORES[word].sign * np.array(base, float)), *end) for end in ends]
    grids = [fine, *([coarse] if cells_of(coarse) <= MOST_CELLS else [])]
    lowest, highest = zip(*ends, strict=True)
    return unbeaten(
        [*walked(table, lowest, highest), *(one for grid in grids for one in screened(table, grid))]
    )


def thresholds(word: str, levels: Levels) -> tuple[float, ...]:
    """The thresholds of a score for levels of certainty."""
    return tuple([SCORES[word].sign * level + 0.0 for level in levels])


def levels_of(word: str, limits: Sequence[float]) -> Levels:
    """The levels of certainty for thresholds of a score."""
    return tuple([SCORES[word].sign * limit for limit in limits])


def _ends(word: str, exits: int) -> list[tuple[float, float]]:
    score = SCORES[word]
    return [(score.sign * score.everybody, score.sign * score.nobody)] * exits


def _closed(levels: Numbers, lowest: float, highest: float) -> Numbers:
    return np.unique([lowest, *levels[(levels > lowest) & (levels < highest)], highest])


def _per_exit(exits: int) -> int:
    """How many levels each exit of a grid may have."""
    return max(int(MOST_CELLS ** (1 / exits) + 1e-9), 2)
