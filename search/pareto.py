"""Order under several costs: by how many others dominate a point (Fonseca and Fleming, ICGA 1993), then by its
crowding distance (Deb et al., IEEE TEC 2002)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def order(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the points (N, costs) from best to worst, the earlier of equals first."""
    if points.shape[1] == 1:
        return np.argsort(points[:, 0], kind="stable")
    return np.lexsort((-crowding(points), beaten_by(points)))


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
    """Return the distance between the neighbours of each point (N, costs) of its rank; infinite at the ends."""
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


def hypervolume(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Return the volume that is dominated by points (N, costs) and in which the reference (costs,) is the worst.

    By slices along the last cost (Knowles, PhD thesis, University of Reading 2002): fast for fronts of some dozens of
    points and few costs.
    """
    inside = points[(points < reference).all(1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside[:, 0].min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    ends = np.append(inside[1:, -1], reference[-1])
    depths = ends - inside[:, -1]
    if inside.shape[1] == 2:
        return float(((reference[0] - np.minimum.accumulate(inside[:, 0])) * depths).sum())
    slices = (
        depth * hypervolume(inside[: i + 1, :-1], reference[:-1]) for i, depth in enumerate(depths) if depth
    )
    return float(sum(slices))
