"""The learning rate schedules that a recipe may name: one decorated function each."""

import math
from collections.abc import Callable

START_DIVISOR = 25.0  # one-cycle starts at lr / 25 and ends at lr / 25 / 10,000, as torch's OneCycleLR
END_DIVISOR = 1e4

# (step, steps, warmup) -> factor on the recipe's lr
Schedule = Callable[[int, int, float], float]

SCHEDULES: dict[str, Schedule] = {}


def schedule(name: str) -> Callable[[Schedule], Schedule]:
    """Register the decorated function under a name."""

    def register(curve: Schedule) -> Schedule:
        SCHEDULES[name] = curve
        return curve

    return register


@schedule("one-cycle")
def one_cycle(step: int, steps: int, warmup: float) -> float:
    """Return the factor on lr: a cosine up in the warm-up, then a cosine down (Smith and Topin, arXiv:1708.07120)."""
    start, end = 1 / START_DIVISOR, 1 / START_DIVISOR / END_DIVISOR
    peak = max(warmup * steps - 1, 0.0)
    if step < peak:
        return _cosine(start, 1.0, step / peak)
    return _cosine(1.0, end, (step - peak) / max(steps - 1 - peak, 1.0))


@schedule("cosine")
def cosine(step: int, steps: int, warmup: float) -> float:
    """Return the factor on lr: linear up in the warm-up, then a cosine down to 0 (SGDR, arXiv:1608.03983)."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return _cosine(1.0, 0.0, (step - rise) / max(steps - rise, 1.0))


@schedule("linear")
def linear(step: int, steps: int, warmup: float) -> float:
    """Return the factor on lr: linear up in the warm-up, then linear to 0, which follows the last step."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return (steps - step) / max(steps - rise, 1.0)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
