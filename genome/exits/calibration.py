"""Calibration: whether an exit is as often right as it says (Guo et al., ICML 2017, arXiv:1706.04599)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import Numbers, scores

BINS = 15
WIDEST = 100.0  # a temperature is within 1 / WIDEST .. WIDEST


def calibration_error(logits: NDArray[Any], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """The expected calibration error: the mean distance of confidence and accuracy in 15 bins of equal width.

    logits: (n, classes), divided by the temperature first.  labels: (n,). Images whose logits are NaN are left out.
    """
    confidence = scores("confidence", logits, temperature)
    known = ~np.isnan(confidence)
    confidence, right = confidence[known], (logits.argmax(1) == labels)[known]
    if not len(right):
        return 0.0
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(right))


def fitted_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature at which the likelihood of the labels is largest.

    It is 1 where no image has finite logits, and at the end of its range where every image is classified correctly.
    """
    from scipy.optimize import brentq

    z = logits.astype(np.float64)
    known = np.isfinite(z).all(1)
    z, labels = z[known], labels[known]
    if not len(z):
        return 1.0
    z -= z.max(1, keepdims=True)
    low, high = 1 / WIDEST, WIDEST
    # the likelihood is concave in the inverse of the temperature, so that its slope falls
    slopes = [_slope(one, z, labels) for one in (low, high)]
    if slopes[0] <= 0 or slopes[1] >= 0:
        return 1 / (low if slopes[0] <= 0 else high)
    return float(1 / brentq(_slope, low, high, args=(z, labels)))


def _slope(inverse: float, z: Numbers, labels: NDArray[np.int64]) -> float:
    """The derivative of the mean log-likelihood by the inverse of the temperature."""
    powers = np.exp(inverse * z)
    mean = (powers * z).sum(1) / powers.sum(1)
    return float((z[np.arange(len(z)), labels] - mean).mean())
