"""The charts of the pages, from the same values that the twins have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .chart import Chart, Point, chart, stairs
from .snapshot import Step


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
    pairs = [(row["epoch"], row["valid_accuracy"]) for row in rows]
    line = [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]
    return chart("accuracy on the validation images after each epoch", "epoch", "accuracy", [], line)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
