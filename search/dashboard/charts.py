"""The charts of the pages, from the same values that the twins have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .chart import Chart, Point, chart, stairs


def scatter(values: Mapping[str, Any]) -> Chart | None:
    """Return what was learnt against what it costs, with the front as a line."""
    shown = values["scatter"]
    points: list[Point] = shown["points"]
    front = sorted((point.x, point.y) for point in points if point.is_front)
    return chart(f"{shown['y']} against {shown['x']}", shown["x"], shown["y"], points, front)


def best_so_far(values: Mapping[str, Any]) -> Chart | None:
    """Return the best value against the device seconds that were spent until then."""
    steps, goal = values["best_so_far"], values["goal"]
    points = [Point(step.seconds, step.value, step.number, "done") for step in steps[:-1]]
    corners = stairs([(step.seconds, step.value) for step in steps])
    return chart(f"best {goal} against device time", "seconds", goal, points, corners)


def learning(values: Mapping[str, Any]) -> Chart | None:
    """Return the validation accuracy after each epoch."""
    rows = [(row["epoch"], row["valid_accuracy"]) for row in values["curve"]]
    line = [(float(x), float(y)) for x, y in rows if _is_number(x) and _is_number(y)]
    return chart("accuracy on the validation images after each epoch", "epoch", "accuracy", [], line)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
