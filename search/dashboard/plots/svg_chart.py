"""Charts that a template draws as SVG: the positions of points, lines and ticks in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from genome.picture.figure import short
from search import formatting, objective
from search.dashboard.studies.points import TrialPoint

WIDTH, HEIGHT = 640.0, 320.0  # of the chart, in pixels
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 12.0, 44.0  # margins around the plot, in pixels
TICKS = 5  # about so many on an axis
FINEST = 1e-9  # relative difference below which two values are drawn as one
WIDE = 30.0  # ratio of the largest to the smallest value above which an axis is logarithmic
MOST_POWERS = 11  # powers of ten on a logarithmic axis
DASH = 5.0  # half the length of the dash that stands for a line of one point, in pixels
SHAPES = ("done", "cut", "pruned", "front")
LOGARITHMIC = objective.COSTLY


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


class Axis(NamedTuple):
    """The name and the range of an axis."""

    name: str
    low: float
    high: float
    is_log: bool

    def share(self, value: float) -> float:
        """Return how far along the axis a value is, from 0 to 1."""
        low, high, here = self.low, self.high, value
        if self.is_log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return (here - low) / (high - low)


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
) -> Chart | None:
    """Return the chart of the finite points and a line, None where there is nothing to draw."""
    points = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    xs, ys = [p.x for p in points] + [x for x, _ in line], [p.y for p in points] + [y for _, y in line]
    if not xs:
        return None
    across, up = axis(x_name, xs), axis(y_name, ys)
    corners = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line)
    return Chart(
        title,
        x_name,
        y_name,
        [Tick(round(_x(across, value), 1), label(x_name, value)) for value in ticks(across)],
        [Tick(round(_y(up, value), 1), label(y_name, value)) for value in ticks(up)],
        [_mark(p, across, up) for p in points],
        corners,
    )


def overlaid(
    title: str, x_name: str, y_name: str, lines: Sequence[Sequence[tuple[float, float]]]
) -> Chart | None:
    """Return the chart of several lines, in their order; None where no line has a point."""
    every = [corner for line in lines for corner in line]
    empty = chart(title, x_name, y_name, [], every)
    if empty is None:
        return None
    across, up = axis(x_name, [x for x, _ in every]), axis(y_name, [y for _, y in every])
    return empty._replace(
        line="", lines=[_written([(_x(across, x), _y(up, y)) for x, y in one]) for one in lines]
    )


def axis(name: str, values: Sequence[float]) -> Axis:
    """Return an axis that covers all these values."""
    low, high = min(values), max(values)
    if name in LOGARITHMIC and low > 0 and high > WIDE * low:
        return Axis(name, low, high, True)
    largest = max(abs(low), abs(high))
    if high - low <= FINEST * max(largest, FINEST):  # the values are equal in a picture
        pad = 0.05 * largest if largest > FINEST else 0.05
        low, high = low - pad, high + pad
    room = 0.0 if low == 0.0 else 0.03 * (high - low)
    return Axis(name, low - room, high + 0.03 * (high - low), False)


def ticks(along: Axis) -> list[float]:
    """Return round numbers along an axis, lowest first."""
    if along.is_log:
        first, last = math.floor(math.log10(along.low)), math.ceil(math.log10(along.high))
        factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 4 else (1,)
        every = -(-(last - first) // MOST_POWERS)  # skips powers of ten on a very long axis
        made = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        return [value for value in made if along.low <= value <= along.high]
    rough = (along.high - along.low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(along.low / step), math.floor(along.high / step)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def label(name: str, value: float) -> str:
    """Return the label of a value on an axis."""
    match name:
        case "seconds":
            return formatting.seconds(value)
        case "memory":
            return formatting.size(value)
        case "latency":
            return f"{value * 1000:.3g} ms"
        case "params" | "macs":
            return short(value)
    return f"{value:.4g}"


def _written(corners: Sequence[tuple[float, float]]) -> str:
    """The corners of a line as SVG writes them; a line of one corner becomes a short dash."""
    if len(corners) == 1:
        ((x, y),) = corners
        corners = [(x - DASH, y), (x + DASH, y)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _mark(point: TrialPoint, across: Axis, up: Axis) -> Mark:
    says = f"trial {point.number}: {up.name} {objective.formatted(up.name, point.y)}, {_labelled(across.name, point.x)}"
    x, y = round(_x(across, point.x), 1), round(_y(up, point.y), 1)
    kind = "front" if point.is_front else point.outcome
    shape = kind if kind in SHAPES else "other"
    return Mark(x, y, point.number, kind, shape, f"{says}, {point.outcome}")


def _labelled(name: str, value: float) -> str:
    return formatting.seconds(value) if name == "seconds" else f"{name} {objective.formatted(name, value)}"


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)
