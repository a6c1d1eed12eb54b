"""Plots as values: the server thins out the points, the browser draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from search.dashboard.studies.points import TrialPoint

ACROSS, UP = 90, 60  # cells of a plot, of whose points only the newest is drawn
MOST_CORNERS = 400  # of a line


class Scale(NamedTuple):
    """An axis."""

    name: str
    kind: str = "number"  # number, log, or date (texts in ISO 8601, local time)


class Series(NamedTuple):
    """Points or a line."""

    name: str
    kind: str  # points, line, or steps: a line that keeps each value until the next
    role: str  # the meaning of the colour
    x: Sequence[float | str]
    y: Sequence[float]
    trials: Sequence[int] = ()  # the trial of each point, where the points are links
    symbol: str = "circle"  # the meaning of the colour, for readers without colour vision
    dash: str = "solid"  # likewise, for lines


class Plot(NamedTuple):
    """A plot of several series."""

    title: str
    x: Scale
    y: Scale
    series: Sequence[Series]
    note: str = ""  # the plot in words
    level: tuple[str, float] | None = None  # a horizontal line, with its name
    href: str | None = None  # address of the study, for the links to trials


def finite(points: Iterable[TrialPoint]) -> list[TrialPoint]:
    """Return the points whose coordinates are finite."""
    return [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]


def thinned(points: Sequence[TrialPoint], is_log: bool) -> list[TrialPoint]:
    """Return the newest point of each cell and all points of the front: the cloud of points keeps its shape.

    `is_log`: the x axis is logarithmic, and every x is above 0.
    """
    if not points:
        return []
    xs = [math.log(p.x) if is_log else p.x for p in points]
    columns = _cells(xs, ACROSS)
    rows = _cells([p.y for p in points], UP)
    newest = {
        (column, row, p.number if p.is_front else None): p
        for column, row, p in zip(columns, rows, points, strict=True)
    }
    return list(newest.values())


def sparse(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of a line, evenly thinned out where there are many; the last corner is kept."""
    step = -(-len(corners) // MOST_CORNERS) or 1
    return [*corners[:-1:step], *corners[-1:]]


def _cells(values: Sequence[float], count: int) -> list[int]:
    low, high = min(values), max(values)
    room = (high - low) or 1.0
    return [int((value - low) / room * (count - 1)) for value in values]
