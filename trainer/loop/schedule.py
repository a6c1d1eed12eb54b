"""Learning rate of each step."""

import math
from collections.abc import Callable

START_DIVISOR = 25.0  # one-cycle starts at lr / 25 and ends at lr / 25 / 10,000, as torch's OneCycleLR
END_DIVISOR = 1e4


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """Factor on lr: up by a cosine in the warm-up, then down by one (Smith and Topin, arXiv:1708.07120)."""
    start, end = 1 / START_DIVISOR, 1 / START_DIVISOR / END_DIVISOR
    peak = max(warmup * steps - 1, 0.0)
    if step < peak:
        return _cosine(start, 1.0, step / peak)
    return _cosine(1.0, end, (step - peak) / max(steps - 1 - peak, 1.0))


def cosine(step: int, steps: int, warmup: float) -> float:
    """Factor on lr: up in a line during the warm-up, down to 0 by a cosine after (SGDR, arXiv:1608.03983)."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return _cosine(1.0, 0.0, (step - rise) / max(steps - rise, 1.0))


CURVES: dict[str, Callable[[int, int, float], float]] = {"one-cycle": one_cycle, "cosine": cosine}


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
