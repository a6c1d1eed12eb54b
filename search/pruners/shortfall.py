"""Shortfall: what a score lacks to that of a network without error, as a logarithm; lower is better."""

from __future__ import annotations

import math

SMALLEST = 1e-3  # shortfall, below which differences of the logarithm are noise
SMALLEST_SPREAD = 0.05  # of the logarithm: repeated trainings differ by that much


def bounded(score: float, ceiling: float) -> float:
    """Return what a score lacks. ceiling: 1 for accuracy, 0 for loss (as scores: higher is better)."""
    return max(ceiling - score, SMALLEST)


def log_shortfall(score: float, ceiling: float) -> float:
    """Return the logarithm of it: halving the errors counts alike everywhere."""
    return math.log(bounded(score, ceiling))
