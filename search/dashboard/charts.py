"""The chart of a trial's page, from the same values that its twin has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .chart import Chart, chart


def learning(rows: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Return the validation accuracy after each epoch; what is no number is left out."""
    pairs = [(row["epoch"], row["valid_accuracy"]) for row in rows]
    line = [(float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y)]
    return chart("accuracy on the validation images after each epoch", "epoch", "accuracy", [], line)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
