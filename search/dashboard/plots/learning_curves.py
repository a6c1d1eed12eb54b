"""The learning curves of the trial page and the comparison page as charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from search.dashboard.plots.svg_chart import Chart, chart, overlaid

LEARNING = "accuracy on the validation images after each epoch"


def learning(rows: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Return the validation accuracy after each epoch, without values that are no numbers."""
    return chart(LEARNING, "epoch", "accuracy", [], _corners(rows))


def learning_overlaid(curves: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Return the validation accuracy of several trials after each epoch."""
    return overlaid(LEARNING, "epoch", "accuracy", [_corners(one["rows"]) for one in curves])


def _corners(rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    pairs = [(row["epoch"], row["valid_accuracy"]) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
