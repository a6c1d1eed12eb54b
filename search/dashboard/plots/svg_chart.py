"""Charts: where the points, lines and ticks of a picture are; a template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from genome.picture.figure import short
from search import formatting, objective

WIDTH, HEIGHT = 640.0, 320.0  # pixels, of the whole picture
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 12.0, 44.0  # room around the plot
TICKS = 5
FINEST = 1e-9  # what is nearer to each other, or to 0, is shown as the same
WIDE = 30.0  # times from lowest to highest, from which on a scale is logarithmic
MOST_POWERS = 11  # of ten, that a logarithmic scale shows
DASH = 5.0  # pixels to each side of a line's only point
SHAPES = ("done", "cut", "pruned", "front")
LOGARITHMIC = ("params", "macs", "memory", "latency")


class TrialPoint(NamedTuple):
    """A trial in a chart, in the numbers of its axes."""

    x: float
    y: float
    number: int
    outcome: str
    is_front: bool = False


class Tick(NamedTuple):
    """A mark on an axis, in pixels."""

    at: float
    label: str


class Mark(NamedTuple):
    """A point in pixels. `kind` is its outcome, or `front`; `says` is shown under the pointer."""

    x: float
    y: float
    number: int
    kind: str
    shape: str
    says: str


class Axis(NamedTuple):
    """What an axis shows and from where to where."""

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
    """A chart in pixels. `line` are the corners of a line as SVG writes them, `lines` those of several."""

    title: str
    x_name: str
    y_name: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[Mark]
    line: str
    lines: Sequence[str] = ()

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
    """Return the chart of some points and a line, None where there is nothing to draw.

    Points that are not finite are left out.
    """
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
    """Return the chart of several lines, each in its place among them; None where there is no point."""
    every = [corner for line in lines for corner in line]
    empty = chart(title, x_name, y_name, [], every)
    if empty is None:
        return None
    across, up = axis(x_name, [x for x, _ in every]), axis(y_name, [y for _, y in every])
    return empty._replace(
        line="", lines=[_written([(_x(across, x), _y(up, y)) for x, y in one]) for one in lines]
    )


def axis(name: str, values: Sequence[float]) -> Axis:
    """Return an axis on which all these values are."""
    low, high = min(values), max(values)
    if name in LOGARITHMIC and low > 0 and high > WIDE * low:
        return Axis(name, low, high, True)
    largest = max(abs(low), abs(high))
    if high - low <= FINEST * max(largest, FINEST):  # one number, as far as a picture can tell
        pad = 0.05 * largest if largest > FINEST else 0.05
        low, high = low - pad, high + pad
    room = 0.0 if low == 0.0 else 0.03 * (high - low)
    return Axis(name, low - room, high + 0.03 * (high - low), False)


def ticks(shown: Axis) -> list[float]:
    """Return round numbers along an axis, lowest first."""
    if shown.is_log:
        first, last = math.floor(math.log10(shown.low)), math.ceil(math.log10(shown.high))
        factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 4 else (1,)
        every = -(-(last - first) // MOST_POWERS)  # of very many powers of ten, some
        made = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        return [value for value in made if shown.low <= value <= shown.high]
    rough = (shown.high - shown.low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(shown.low / step), math.floor(shown.high / step)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def label(name: str, value: float) -> str:
    """Return a number as it stands at an axis."""
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
    """The corners of a line as SVG writes them; a single one is a short dash, which can be seen."""
    if len(corners) == 1:
        ((x, y),) = corners
        corners = [(x - DASH, y), (x + DASH, y)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def front_of(points: Sequence[TrialPoint], x_rises: bool, y_rises: bool) -> list[TrialPoint]:
    """Return the points that none beats in both numbers, along x; `rises`: more of it is better."""
    turn = -1.0 if x_rises else 1.0
    lift = 1.0 if y_rises else -1.0
    found: list[TrialPoint] = []
    for point in sorted(points, key=lambda p: (turn * p.x, -lift * p.y, p.number)):
        if not found or lift * point.y > lift * found[-1].y:
            found.append(point)
    return found


def _mark(point: TrialPoint, across: Axis, up: Axis) -> Mark:
    says = f"trial {point.number}: {up.name} {formatting.metric(up.name, point.y)}, {_said(across.name, point.x)}"
    x, y = round(_x(across, point.x), 1), round(_y(up, point.y), 1)
    kind = "front" if point.is_front else point.outcome
    shape = kind if kind in SHAPES else "other"
    return Mark(x, y, point.number, kind, shape, f"{says}, {point.outcome}")


def _said(name: str, value: float) -> str:
    return formatting.seconds(value) if name == "seconds" else f"{name} {objective.formatted(name, value)}"


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)
