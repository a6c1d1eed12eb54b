"""The reliability curve of a network: how often it is right, by how sure it says it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from search.dashboard.plots.svg_chart import Chart, overlaid, place_of
from search.results.axis import Axis

TITLE = "accuracy by confidence"
SMALLEST, LARGEST = 2.5, 9.0  # radius of a bin, in pixels


class Spot(NamedTuple):
    """A bin in the chart, in pixels."""

    x: float
    y: float
    radius: float
    says: str


class ReliabilityChart(NamedTuple):
    """The curve, on the line of perfect calibration."""

    chart: Chart
    spots: Sequence[Spot]


def reliability_chart(bins: Sequence[Mapping[str, Any]]) -> ReliabilityChart | None:
    """Return the chart of bins with `answers`, `confidence` and `accuracy`; None where all are empty."""
    filled = [one for one in bins if one["answers"]]
    if not filled:
        return None
    corners = [(one["confidence"], one["accuracy"]) for one in filled]
    whole = [(0.0, 0.0), (1.0, 1.0)]
    drawn = overlaid(TITLE, "confidence", "accuracy", [corners, whole], _whole)
    assert drawn is not None
    across, up = (_whole(name, []) for name in ("confidence", "accuracy"))
    most = max(one["answers"] for one in filled)
    return ReliabilityChart(
        drawn,
        [
            Spot(
                *place_of(across, up, one["confidence"], one["accuracy"]),
                round(max(SMALLEST, LARGEST * math.sqrt(one["answers"] / most)), 1),
                f"{one['answers']:,} answers: confidence {one['confidence']:.3f}, accuracy {one['accuracy']:.3f}",
            )
            for one in filled
        ],
    )


def _whole(name: str, values: Sequence[float]) -> Axis:
    """An axis from 0 to 1, with a little room at its ends."""
    return Axis(name, -0.03, 1.03, False)
