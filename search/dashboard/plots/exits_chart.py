"""The chart of accuracy over mean multiply-adds that the exits of a network reach, and its sliders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from search import formatting
from search.dashboard.pages.exits import CurvePoint, TrialExits
from search.dashboard.plots.svg_chart import Chart, chart, place_of
from search.results.axis import axis

TITLE = "accuracy on the validation images over mean multiply-adds"
STEPS = 100  # of a slider


class Spot(NamedTuple):
    """A place in the chart, in pixels."""

    x: float
    y: float
    label: str


class Cells(NamedTuple):
    """The cells of an exit in the table that depend on the thresholds."""

    leaves: str
    accuracy: str  # of the images that leave


class Step(NamedTuple):
    """A point of the curve, as the sliders choose it."""

    drop: float  # points of accuracy below the last exit alone
    macs: float
    x: float  # pixels
    y: float  # pixels
    says: str
    cells: Sequence[Cells]  # of each exit


class Slider(NamedTuple):
    """The range of a slider; its positions go from 0 to `STEPS`."""

    low: float
    high: float
    position: int  # of the chosen point


class ExitsChart(NamedTuple):
    """The chart with what the sliders change."""

    chart: Chart
    alone: Sequence[Spot]  # each exit, if it answered all images
    steps: Sequence[Step]
    chosen: int
    drop: Slider
    macs: Slider


def exits_chart(found: TrialExits) -> ExitsChart:
    """Return the chart of a network's exits."""
    line = sorted((one.macs, one.accuracy) for one in found.points)
    alone = [(float(row.macs), row.accuracy) for row in found.exits]
    every = [*line, *alone]
    place = partial(place_of, axis("macs", [x for x, _ in every]), axis("accuracy", [y for _, y in every]))
    drawn = chart(TITLE, "macs", "accuracy", [], line, alone)
    assert drawn is not None  # a network has exits
    steps = [_step(one, found, *place(one.macs, one.accuracy)) for one in found.points]
    return ExitsChart(
        drawn,
        [Spot(*place(*one), row.name) for one, row in zip(alone, found.exits, strict=True)],
        steps,
        found.chosen,
        _slider([one.drop for one in steps], found.chosen),
        _slider([one.macs for one in steps], found.chosen),
    )


def _step(point: CurvePoint, found: TrialExits, x: float, y: float) -> Step:
    drop = 100 * (found.last_exit - point.accuracy)
    cells = [
        Cells(f"{share:.1%}", _accuracy(one))
        for share, one in zip(point.shares, point.accuracies, strict=True)
    ]
    return Step(drop, point.macs, x, y, _says(point, found, drop), cells)


def _says(point: CurvePoint, found: TrialExits, drop: float) -> str:
    side = "below" if drop >= 0 else "above"
    return (
        f"accuracy {point.accuracy:.4f}, {abs(drop):.2f} points {side} the last exit alone; "
        f"{formatting.short(round(point.macs))} multiply-adds in the mean, "
        f"{point.macs / found.whole_macs:.3f} of the whole network"
    )


def _accuracy(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _slider(values: Sequence[float], chosen: int) -> Slider:
    low, high = min(values), max(values)
    share = (values[chosen] - low) / ((high - low) or 1.0)
    return Slider(low, high, round(STEPS * share))
