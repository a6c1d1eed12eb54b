"""Levels of certainty at which a fixed share of the images that reach an exit leaves there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genome.exits.scores import SCORES, Numbers
from genome.exits.table import Levels, Table


def levels_of_shares(table: Table, word: str, shares: Sequence[float]) -> Levels:
    """The level of each exit but the last. word: the score of the table.  shares: of the images that reach it, 0..1.

    Of m images that reach an exit, int(share * m) leave, as in the authors' code of BranchyNet; fewer where images
    are equally certain.
    """
    left, found = np.arange(table.hits.shape[1]), []
    for row, share in zip(table.certainty, shares, strict=True):
        found.append(_level(np.sort(row[left])[::-1], int(share * len(left)), word))
        left = left[~(row[left] > found[-1])]
    return tuple(found)


def _level(ranked: Numbers, count: int, word: str) -> float:
    """The level above which at most `count` images lie. ranked: their certainties, the largest first."""
    score = SCORES[word]
    while 0 < count < len(ranked) and ranked[count - 1] == ranked[count]:
        count -= 1
    if count == 0:
        return score.sign * score.nobody
    behind = ranked[count] if count < len(ranked) else -np.inf
    if not np.isfinite(behind):
        return score.sign * score.everybody
    return float((ranked[count - 1] + behind) / 2)
