"""A number as people write it."""

from __future__ import annotations

import math
import re

_AMOUNT = re.compile(
    r"([+-]?(?:\d{1,15}\.?\d{0,15}|\.\d{1,15})(?:e[+-]?\d{1,3})?)([kmg%]?)", re.ASCII | re.IGNORECASE
)
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "%": 0.01}


def amount(text: str) -> float | None:
    """Return a number such as 0.95, 95%, 1e5, 100,000, 100k or 1.5M; None for a text that is none."""
    found = _AMOUNT.fullmatch(text.strip().replace(",", "").replace("_", ""))
    value = float(found[1]) * _TIMES[found[2].lower()] if found else math.nan
    return value if math.isfinite(value) else None
