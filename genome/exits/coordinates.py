"""Coordinate search: one threshold at a time moves to its best place between any two images, the others staying."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import Numbers
from genome.exits.table import Levels, Table, Trade, traded

PRICES = np.geomspace(1e-4, 10.0, 32)  # of the whole range of costs, in shares of the images
SWEEPS = 4  # over the exits, at most, for one price


def walked(table: Table, lowest: Levels, highest: Levels) -> list[Trade]:
    """What the best levels come to for a series of prices of one unit of cost, from the lowest price on.

    lowest, highest: levels at which every image leaves, and none does.  Each price begins at the levels of the one
    before it.
    """
    order = [np.argsort(-row, kind="stable") for row in table.certainty]
    span = float(np.ptp(table.costs)) or 1.0
    levels, found = highest, []
    for price in PRICES:
        worth = table.hits - (price / span) * table.costs[:, None]
        for _ in range(SWEEPS):
            before = levels
            levels = _swept(table, worth, order, levels, lowest, highest)
            if levels == before:
                break
        found.append(traded(table, levels))
    return found


def _swept(
    table: Table,
    worth: Numbers,
    order: list[NDArray[np.int64]],
    levels: Levels,
    lowest: Levels,
    highest: Levels,
) -> Levels:
    """Move the level of each exit, the last one first, where the images of the table are worth most."""
    found = [*levels]
    reaches = [*_reaching(table, levels)]
    later = worth[-1]  # what each image is worth if it passes the exit
    for k in range(len(levels) - 1, -1, -1):
        gain = np.where(reaches[k], worth[k] - later, 0.0)[order[k]]
        found[k] = _best_level(table.certainty[k][order[k]], gain, lowest[k], highest[k])
        later = np.where(table.certainty[k] > found[k], worth[k], later)
    return tuple(found)


def _reaching(table: Table, levels: Levels) -> Iterator[NDArray[np.bool_]]:
    """Yield for each exit but the last which images reach it."""
    left = np.ones(table.hits.shape[1], bool)
    for row, level in zip(table.certainty, levels, strict=True):
        yield left
        left = left & (row <= level)


def _best_level(ranked: Numbers, gain: Numbers, lowest: float, highest: float) -> float:
    """The level above which the gains sum to most. ranked: certainties, the largest first, with the gain of each."""
    total = gain.cumsum()
    behind = np.append(ranked[1:], -np.inf)
    total[(behind == ranked) | ~np.isfinite(ranked)] = -np.inf  # no level lies between equals
    count = int(total.argmax())
    if total[count] <= 0:
        return highest
    return lowest if not np.isfinite(behind[count]) else float((ranked[count] + behind[count]) / 2)
