"""Charts that a template draws as SVG: the positions of points, lines and ticks in pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from search import formatting, objective
from search.dashboard.studies.points import TrialPoint
from search.results.axis import Axis, axis, label, ticks

WIDTH, HEIGHT = 460.0, 280.0  # of the chart, in pixels: it must be legible on a phone
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 12.0, 44.0  # margins around the plot, in pixels
DASH = 5.0  # half the length of the dash that stands for a line of one point, in pixels
SHAPES = ("done", "cut", "pruned", "front")


class Tick(NamedTuple):
    """A mark on an axis, in pixels."""

    at: float
    label: str


class Mark(NamedTuple):
    """A trial in the chart."""

    x: float  # pixels
    y: float  # pixels
    number: int  # of the trial
    kind: str  # outcome of the trial, or `front`
    shape: str
    says: str  # text under the pointer


class Chart(NamedTuple):
    """A chart. Lengths are in pixels."""

    title: str
    x_name: str
    y_name: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[Mark]
    line: str  # corners of a line, as SVG writes them
    lines: Sequence[str] = ()  # corners of each of several lines

    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def chart(
    title: str,
    x_name: str,
    y_name: str,
    points: Sequence[TrialPoint],
    line: Sequence[tuple[float, float]] = (),
    beside: Sequence[tuple[float, float]] = (),
    scale: Callable[[str, Sequence[float]], Axis] = axis,
) -> Chart | None:
    """Return the chart of the finite points and a line, None where there is nothing to draw.

    beside: further places that its axes cover. scale: of the y axis.
    """
    points = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    others = [*line, *beside]
    xs, ys = [p.x for p in points] + [x for x, _ in others], [p.y for p in points] + [y for _, y in others]
    if not xs:
        return None
    across, up = axis(x_name, xs), scale(y_name, ys)
    corners = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line)
    return _empty(title, across, up)._replace(marks=[_mark(p, across, up) for p in points], line=corners)


def place_of(across: Axis, up: Axis, x: float, y: float) -> tuple[float, float]:
    """Return the place of two numbers in pixels."""
    return round(_x(across, x), 1), round(_y(up, y), 1)


def overlaid(
    title: str,
    x_name: str,
    y_name: str,
    lines: Sequence[Sequence[tuple[float, float]]],
    scale: Callable[[str, Sequence[float]], Axis] = axis,
) -> Chart | None:
    """Return the chart of several lines, in their order; None where no line has a point. scale: of the y axis."""
    every = [corner for line in lines for corner in line]
    if not every:
        return None
    across, up = axis(x_name, [x for x, _ in every]), scale(y_name, [y for _, y in every])
    return _empty(title, across, up)._replace(
        lines=[_written([(_x(across, x), _y(up, y)) for x, y in one]) for one in lines]
    )


def _empty(title: str, across: Axis, up: Axis) -> Chart:
    return Chart(
        title,
        across.name,
        up.name,
        [Tick(round(_x(across, value), 1), label(across.name, value)) for value in ticks(across)],
        [Tick(round(_y(up, value), 1), label(up.name, value)) for value in ticks(up)],
        [],
        "",
    )


def _written(corners: Sequence[tuple[float, float]]) -> str:
    """The corners of a line as SVG writes them; a line of one corner becomes a short dash."""
    if len(corners) == 1:
        ((x, y),) = corners
        corners = [(x - DASH, y), (x + DASH, y)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _mark(point: TrialPoint, across: Axis, up: Axis) -> Mark:
    says = f"trial {point.number}: {up.name} {objective.formatted(up.name, point.y)}, {_labelled(across.name, point.x)}"
    x, y = place_of(across, up, point.x, point.y)
    kind = "front" if point.is_front else point.outcome
    shape = kind if kind in SHAPES else "other"
    return Mark(x, y, point.number, kind, shape, f"{says}, {point.outcome}")


def _labelled(name: str, value: float) -> str:
    return formatting.seconds(value) if name == "seconds" else f"{name} {objective.formatted(name, value)}"


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)
