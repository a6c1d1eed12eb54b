"""Calibration: whether an exit is as often right as it says (Guo et al., ICML 2017, arXiv:1706.04599)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import Numbers, scores

BINS = 15
WIDEST = 100.0  # a temperature is within 1 / WIDEST .. WIDEST


class Bin(NamedTuple):
    """The answers whose confidence lies in one of the bins; of no answer both means are 0."""

    answers: int
    # means of its answers
    confidence: float
    accuracy: float


def reliability(confidence: NDArray[Any], right: NDArray[np.bool_]) -> list[Bin]:
    """The reliability curve: the accuracy of answers by their confidence, in 15 bins of equal width.

    confidence: (n,), each from 0 to 1.  right: (n,).
    """
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    least = np.maximum(counts, 1)
    sums = (np.bincount(places, of, BINS) / least for of in (confidence, right))
    return [Bin(int(n), float(said), float(found)) for n, said, found in zip(counts, *sums, strict=True)]


def expected_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: the mean distance of confidence and accuracy; 0 without answers."""
    answers = sum(one.answers for one in bins)
    return sum(one.answers * abs(one.accuracy - one.confidence) for one in bins) / max(answers, 1)


def calibration_error(logits: NDArray[Any], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """The expected calibration error: the mean distance of confidence and accuracy in 15 bins of equal width.

    logits: (n, classes), divided by the temperature first.  labels: (n,). Images whose logits are NaN are left out.
    """
    confidence = scores("confidence", logits, temperature)
    known = ~np.isnan(confidence)
    return expected_error(reliability(confidence[known], (logits.argmax(1) == labels)[known]))


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
