"""The charts of the pages, from the same values that the twins have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .chart import Chart, Point, chart, overlaid, stairs
from .snapshot import Step

LEARNING = "accuracy on the validation images after each epoch"


def scatter(x_name: str, y_name: str, points: Sequence[Point]) -> Chart | None:
    """Return what was learnt against what it costs, with the front as a line."""
    front = sorted((point.x, point.y) for point in points if point.is_front)
    return chart(f"{y_name} against {x_name}", x_name, y_name, points, front)


def best_so_far(goal: str, steps: Sequence[Step]) -> Chart | None:
    """Return the best value against the device seconds that were spent until then."""
    points = [Point(step.seconds, step.value, step.number, "done") for step in steps[:-1]]
    corners = stairs([(step.seconds, step.value) for step in steps])
    return chart(f"best {goal} against device time", "seconds", goal, points, corners)


def learning(rows: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Return the validation accuracy after each epoch; what is no number is left out."""
    return chart(LEARNING, "epoch", "accuracy", [], _corners(rows))


def learning_overlaid(curves: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Return the validation accuracy of several trials after each epoch."""
    return overlaid(LEARNING, "epoch", "accuracy", [_corners(one["rows"]) for one in curves])


def _corners(rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    pairs = [(row["epoch"], row["valid_accuracy"]) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
