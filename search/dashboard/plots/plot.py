"""Plots as values: the server thins out very many points, the browser draws them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from search.dashboard.studies.points import TrialPoint
from search.objective import Objective

MOST_DRAWN = 3_000  # points that are all drawn
ACROSS, UP = 90, 60  # cells of a plot of more points, of each of which only the newest is drawn
GOOD = 0.9  # of a best share of the images, from which on an axis of shares shows the error
WIDE = 20.0  # ratio of values from which on an axis of another score is logarithmic
MOST_CORNERS = 400  # of a line
UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


class Scale(NamedTuple):
    """An axis."""

    name: str
    # number, log, date (texts in ISO 8601, local time), or error: a share, of which what is missing to 1 has a
    # logarithmic axis, the best at its top
    kind: str = "number"
    floor: float = 0.0  # smallest error that is drawn; those below it stand there


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
    size: int = 7  # of points, in pixels
    deviations: Sequence[float] = ()  # of y, drawn as bars, or as a band around steps
    is_pale: bool = False  # drawn behind another line of this name


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


def unit_of_time(seconds: float) -> tuple[str, float]:
    """Return the unit in which this duration is a number of one or two digits, and the seconds in the unit."""
    return next((unit for unit in UNITS if seconds >= 2 * unit[1]), UNITS[-1])


def moment(at: float) -> str:
    """Return unix seconds as a date of an axis, in local time."""
    return datetime.fromtimestamp(at).isoformat(sep=" ", timespec="seconds")


def score_scale(goal: Objective, values: Collection[float], asked: str = "") -> Scale:
    """Return the axis of a learnt objective. asked: error or linear; empty for the one that suits the values."""
    known = [value for value in values if math.isfinite(value)]
    if not known or asked == "linear":
        return Scale(goal.name)
    if goal.measure.perfect == 1.0:
        errors = [1.0 - value for value in known if value < 1.0]
        is_shown = bool(errors) and min(known) >= 0.0 and (asked == "error" or max(known) >= GOOD)
        return Scale(goal.name, "error", min(errors) / 2) if is_shown else Scale(goal.name)
    is_wide = min(known) > 0 and (asked == "error" or max(known) > WIDE * min(known))
    return Scale(goal.name, "log" if is_wide else "number")


def thinned(points: Sequence[TrialPoint], is_log: bool, kept: Collection[int] = ()) -> list[TrialPoint]:
    """Return all points; of very many the newest of each cell, and all of the front and of the trials `kept`.

    The cloud of points keeps its shape. `is_log`: the x axis is logarithmic, and every x is above 0.
    """
    if len(points) <= MOST_DRAWN:
        return list(points)
    always = set(kept)
    xs = [math.log(p.x) if is_log else p.x for p in points]
    columns = _cells(xs, ACROSS)
    rows = _cells([p.y for p in points], UP)
    newest = {
        (column, row, p.number if p.is_front or p.number in always else None): p
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
