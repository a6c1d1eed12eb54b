"""The learning curves of the trial page and the comparison page as charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from search import objective
from search.dashboard.plots.svg_chart import Chart, overlaid
from search.results.axis import Axis, axis, error_axis

GOOD = 0.9  # of a best share, from which on the axis shows the error
WIDE = 8.0  # ratio of losses from which on their axis is logarithmic
LOSSES = ("train_loss", "valid_loss")

Rows = Sequence[Mapping[str, Any]]


def learning(curves: Sequence[Rows], goal: str) -> Chart | None:
    """Return what several trainings reached on the validation images after each epoch, without malformed values.

    goal: the learnt objective; of a loss, the accuracy is drawn, where it is known.
    """
    name = goal if objective.MEASURES[goal].perfect == 1.0 else "accuracy"
    lines = [_corners(rows, f"valid_{name}") for rows in curves]
    return overlaid(f"{name} on the validation images", "epoch", name, lines, share_axis)


def losses(rows: Rows) -> Chart | None:
    """Return the loss of one training on the training and on the validation images."""
    return overlaid(
        "loss on the training and the validation images",
        "epoch",
        "loss",
        [_corners(rows, key) for key in LOSSES],
        _loss_axis,
    )


def valid_losses(curves: Sequence[Rows]) -> Chart | None:
    """Return the loss of several trainings on the validation images."""
    lines = [_corners(rows, "valid_loss") for rows in curves]
    return overlaid("loss on the validation images", "epoch", "loss", lines, _loss_axis)


def share_axis(name: str, values: Sequence[float]) -> Axis:
    """Return the axis of a score: of the error, on a logarithmic scale, where it is a share and good."""
    is_share = name in objective.MEASURES and objective.MEASURES[name].perfect == 1.0
    return error_axis(name, values) if is_share and max(values) >= GOOD else axis(name, values)


def _loss_axis(name: str, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    return Axis(name, low / 1.1, high * 1.1, True) if low > 0 and high > WIDE * low else axis(name, values)


def _corners(rows: Rows, key: str) -> list[tuple[float, float]]:
    pairs = [(row.get("epoch"), row.get(key)) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
