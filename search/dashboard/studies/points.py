"""Trials as points of a plot, and the Pareto front of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class TrialPoint(NamedTuple):
    """A trial as a point, in the units of the axes."""

    x: float
    y: float
    number: int  # of the trial
    outcome: str
    is_front: bool = False
    deviation: float | None = None  # of y, over the seeds
    seeds: int = 1  # of which y is the mean; 1 for a single score


def front_of(points: Sequence[TrialPoint], x_rises: bool, y_rises: bool) -> list[TrialPoint]:
    """Return the points that no other point beats in both values, in the order of x.

    `x_rises` and `y_rises`: a larger value is better.
    """
    turn = -1.0 if x_rises else 1.0
    lift = 1.0 if y_rises else -1.0
    found: list[TrialPoint] = []
    for point in sorted(points, key=lambda p: (turn * p.x, -lift * p.y, p.number)):
        if not found or lift * point.y > lift * found[-1].y:
            found.append(point)
    return found
