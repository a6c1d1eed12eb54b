"""A grid of thresholds, all of whose combinations are compared at once.

The paper's screening runs the images once for each combination (Teerapittayanon et al., ICPR 2016). Here the images
are counted once by the levels between which their certainties lie, and sums over these counts give every combination.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import Numbers
from genome.exits.table import Table, Trade

MOST_CELLS = 140_000  # combinations of a grid


def screened(table: Table, levels: Sequence[Numbers]) -> list[Trade]:
    """The combinations that none beats in cost and accuracy, the cheapest first. levels: of each exit, ascending.

    An image that passes the exits up to k costs `costs[k + 1] - costs[k]` more than one that leaves there, and hits
    `hits[k + 1] - hits[k]` more often, so that the sums over the images that pass are all that is needed.
    """
    passed = [np.searchsorted(own, row) for own, row in zip(levels, table.certainty, strict=True)]
    cost = np.full((1,) * len(levels), table.costs[0] * table.hits.shape[1])
    hits = np.full(cost.shape, float(np.count_nonzero(table.hits[0])))
    for k in range(len(levels)):
        sizes, places = [len(own) for own in levels[: k + 1]], passed[: k + 1]
        rest = (1,) * (len(levels) - k - 1)
        gain = table.hits[k + 1].astype(float) - table.hits[k]
        count = _sums(places, sizes, np.ones_like(gain)).reshape(*sizes, *rest)
        cost = cost + (table.costs[k + 1] - table.costs[k]) * count
        hits = hits + _sums(places, sizes, gain).reshape(*sizes, *rest)
    return _front(table, levels, cost, hits)


def cells_of(levels: Sequence[Numbers]) -> int:
    """How many combinations a grid has."""
    return int(np.prod([len(own) for own in levels], dtype=float))


def _sums(passed: Sequence[NDArray[np.int64]], sizes: Sequence[int], weights: Numbers) -> Numbers:
    """For every combination of levels the sum of the weights of the images that leave at none of these exits.

    passed: for each exit and image, how many levels lie below its certainty. It stays where the level's place is not
    below that.
    """
    shape = [size + 1 for size in sizes]
    cells = np.ravel_multi_index(tuple(passed), shape)
    found = np.bincount(cells, weights, int(np.prod(shape))).astype(np.float64).reshape(shape)
    for axis, size in enumerate(sizes):
        found = np.take(found, range(size), axis).cumsum(axis)
    return found


def _front(table: Table, levels: Sequence[Numbers], cost: Numbers, hits: Numbers) -> list[Trade]:
    flat, won = cost.ravel(), hits.ravel().round().astype(int)
    order = np.lexsort((-won, flat))
    best = np.maximum.accumulate(won[order])
    kept = order[np.flatnonzero(np.diff(best, prepend=-1) > 0)]
    places = np.unravel_index(kept, cost.shape)
    chosen = [own[place] for own, place in zip(levels, places, strict=True)]
    images = table.hits.shape[1]
    return [
        Trade(float(flat[cell]) / images, int(won[cell]), tuple(map(float, one)))
        for cell, one in zip(kept, zip(*chosen, strict=True), strict=True)
    ]
