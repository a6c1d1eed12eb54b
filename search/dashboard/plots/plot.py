"""Plots as values: a server aggregates, a browser draws. What is not finite is no point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from search.dashboard.plots.svg_chart import TrialPoint

ACROSS, UP = 90, 60  # cells of a plot: of the points in one cell the newest is drawn
MOST_CORNERS = 400  # of a line


class Scale(NamedTuple):
    """An axis. `kind` is number, log or date (texts in ISO 8601, local time)."""

    name: str
    kind: str = "number"


class Series(NamedTuple):
    """Points or a line. `role` says what its colour means; `symbol` and `dash` say it without colour.

    trials: the trial of each point, where a point leads to one.
    """

    name: str
    kind: str  # points, line, or steps: a line that keeps each value until the next
    role: str
    x: Sequence[float | str]
    y: Sequence[float]
    trials: Sequence[int] = ()
    symbol: str = "circle"
    dash: str = "solid"


class Plot(NamedTuple):
    """A picture of series. `note` is what it says in words; `level` a line across, with its name."""

    title: str
    x: Scale
    y: Scale
    series: Sequence[Series]
    note: str = ""
    level: tuple[str, float] | None = None
    href: str | None = None


def finite(points: Iterable[TrialPoint]) -> list[TrialPoint]:
    """Return the points that can be drawn."""
    return [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]


def thinned(points: Sequence[TrialPoint], is_log: bool) -> list[TrialPoint]:
    """Return one point of each cell, the newest; those of the front all. The cloud keeps its shape.

    is_log: the axis across is logarithmic, all of x being above 0.
    """
    if not points:
        return []
    xs = [math.log(p.x) if is_log else p.x for p in points]
    columns = _cells(xs, ACROSS)
    rows = _cells([p.y for p in points], UP)
    kept = {
        (column, row, p.number if p.is_front else None): p
        for column, row, p in zip(columns, rows, points, strict=True)
    }
    return list(kept.values())


def sparse(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of a line, evenly fewer where there are many; the last one is kept."""
    step = -(-len(corners) // MOST_CORNERS) or 1
    return [*corners[:-1:step], *corners[-1:]]


def _cells(values: Sequence[float], count: int) -> list[int]:
    low, high = min(values), max(values)
    room = (high - low) or 1.0
    return [int((value - low) / room * (count - 1)) for value in values]
