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
CLOSEST = 0.07  # of the length of an axis of errors: closer labels would overlap
MOST_POWERS = 11  # powers of ten on a logarithmic axis
WHOLE = ("epoch",)  # names of whole numbers
LOGARITHMIC = objective.COSTLY


class Axis(NamedTuple):
    """The name and the range of an axis."""

    name: str
    low: float
    high: float
    is_log: bool
    floor: float = 0.0  # above 0 on an axis of errors: the smallest error that has a place of its own

    def share(self, value: float) -> float:
        """Return how far along the axis a value is, from 0 to 1."""
        if self.floor:
            worst, best, here = (math.log(max(1.0 - at, self.floor)) for at in (self.low, self.high, value))
            return (worst - here) / (worst - best)
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


def error_axis(name: str, values: Sequence[float]) -> Axis:
    """Return an axis of shares on which what is missing to 1 has a logarithmic scale, the best value at its end.

    Values of which no error can be told have a linear axis.
    """
    errors = [1.0 - value for value in values if value < 1.0]
    if not errors or min(values) < 0 or max(values) > 1:
        return axis(name, values)
    floor, low = min(errors) / 2, min(values)
    bottom, top = 1.0 - 1.1 * (1.0 - low), 1.0 - 0.9 * (1.0 - max(values))
    return Axis(name, bottom, top if top > bottom else 1.0, False, floor)


def _most(name: str) -> float:
    """The largest value that there can be: a share of the images is at most 1."""
    measure = objective.MEASURES.get(name)
    return 1.0 if measure and measure.perfect == 1.0 else math.inf


def ticks(along: Axis) -> list[float]:
    """Return round numbers along an axis, lowest first."""
    if along.floor:
        errors = [1.0, *(factor * 10.0**-power for power in range(1, 7) for factor in (5, 2, 1))]
        shares = [float(f"{1.0 - error:.10g}") for error in errors]
        within = [
            share for share in shares if along.low <= share <= along.high and 1.0 - share >= along.floor
        ]
        best_first = [*([1.0] if along.high == 1.0 else []), *reversed(within)]
        found = best_first[:1]
        for share in best_first[1:]:
            if along.share(found[-1]) - along.share(share) >= CLOSEST:
                found.append(share)
        return found[::-1]
    if along.is_log:
        first, last = math.floor(math.log10(along.low)), math.ceil(math.log10(along.high))
        factors = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 4 else (1,)
        every = -(-(last - first) // MOST_POWERS)  # skips powers of ten on a very long axis
        made = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        return [value for value in made if along.low <= value <= along.high]
    rough = (along.high - along.low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if along.name in WHOLE else step
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
    return f"{value:.6g}" if 0.9 < value < 1 else f"{value:.4g}"
