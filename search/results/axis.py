"""The axes of charts: their range, their ticks, and the labels of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from genome.picture.figure import short
from search import formatting, objective

TICKS = 5  # about so many on an axis
FINEST = 1e-9  # relative difference below which two values are drawn as one
WIDE = 30.0  # ratio of the largest to the smallest value above which an axis is logarithmic
MOST_POWERS = 11  # powers of ten on a logarithmic axis
LOGARITHMIC = objective.COSTLY


class Axis(NamedTuple):
    """The name and the range of an axis."""

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


def axis(name: str, values: Sequence[float]) -> Axis:
    """Return an axis that covers all these values."""
    low, high = min(values), max(values)
    if name in LOGARITHMIC and low > 0 and high > WIDE * low:
        return Axis(name, low, high, True)
    largest = max(abs(low), abs(high))
    if high - low <= FINEST * max(largest, FINEST):  # the values are equal in a picture
        pad = 0.05 * largest if largest > FINEST else 0.05
        low, high = low - pad, high + pad
    room = 0.0 if low == 0.0 else 0.03 * (high - low)
    top = high + 0.03 * (high - low)
    return Axis(name, low - room, top if largest > _most(name) else min(top, _most(name)), False)


def _most(name: str) -> float:
    """The largest value that there can be: a share of the images is at most 1."""
    measure = objective.MEASURES.get(name)
    return 1.0 if measure and measure.perfect == 1.0 else math.inf


def ticks(along: Axis) -> list[float]:
    """Return round numbers along an axis, lowest first."""
    if along.is_log:
        first, last = math.floor(math.log10(along.low)), math.ceil(math.log10(along.high))
        factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 4 else (1,)
        every = -(-(last - first) // MOST_POWERS)  # skips powers of ten on a very long axis
        made = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        return [value for value in made if along.low <= value <= along.high]
    rough = (along.high - along.low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(along.low / step), math.floor(along.high / step)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def label(name: str, value: float) -> str:
    """Return the label of a value on an axis."""
    match name:
        case "seconds":
            return formatting.seconds(value)
        case "memory":
            return formatting.size(value)
        case "latency" | "expected_latency":
            return f"{value * 1000:.3g} ms"
        case "params" | "macs" | "expected_macs":
            return short(value)
    return f"{value:.4g}"
