"""Scores: how certain an exit is of an image, from its logits. In float64, whatever the logits are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]


class Score(NamedTuple):
    """A number for each image; those on one side of a threshold leave."""

    measure: Callable[[Numbers], Numbers]  # of logits (B, classes) whose largest is 0; -> (B,)
    of_one: Callable[[Sequence[float]], float]  # the same of one image
    sign: int  # 1: an image leaves strictly above the threshold; -1: strictly below
    nobody: float  # the threshold at which no image leaves
    everybody: float  # the threshold at which every image leaves


def entropy(shifted: Numbers) -> Numbers:
    """The entropy of the softmax in nats (Teerapittayanon et al., ICPR 2016, arXiv:1709.01686)."""
    powers = np.exp(shifted)
    total = powers.sum(1)
    return np.log(total) - (powers * shifted).sum(1) / total  # type: ignore[no-any-return]


def confidence(shifted: Numbers) -> Numbers:
    """The largest probability of the softmax (Huang et al., ICLR 2018, arXiv:1703.09844)."""
    return 1.0 / np.exp(shifted).sum(1)  # type: ignore[no-any-return]


def margin(shifted: Numbers) -> Numbers:
    """The difference of the two largest probabilities of the softmax."""
    second = np.exp(np.partition(shifted, -2)[:, -2]) if shifted.shape[1] > 1 else 0.0
    return (1.0 - second) / np.exp(shifted).sum(1)  # type: ignore[no-any-return]


def _entropy(shifted: Sequence[float]) -> float:
    total = mean = 0.0
    for one in shifted:
        power = exp(one)
        total += power
        mean += power * one
    return log(total) - mean / total


def _confidence(shifted: Sequence[float]) -> float:
    return 1.0 / sum(map(exp, shifted))


def _margin(shifted: Sequence[float]) -> float:
    powers = sorted(map(exp, shifted))
    return (1.0 - sum(powers[-2:-1])) / sum(powers)


SCORES: Mapping[str, Score] = {
    "entropy": Score(entropy, _entropy, -1, 0.0, 100.0),  # e^100 classes would have more
    "confidence": Score(confidence, _confidence, 1, 1.0, 0.0),
    "margin": Score(margin, _margin, 1, 1.0, -1.0),
}


def scores(word: str, logits: NDArray[Any], temperature: float = 1.0) -> Numbers:
    """The score of each image. logits: (B, classes), divided by the temperature first. -> (B,)

    It is NaN where a logit is NaN or the largest is infinite.
    """
    z = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        z -= z.max(1, keepdims=True)
        return SCORES[word].measure(z if temperature == 1.0 else z / temperature)


def score_of_one(word: str, logits: Sequence[float], temperature: float = 1.0) -> float:
    """The score of one image, as `scores` gives it.

    It does without numpy, whose calls take longer for a few numbers than all else that stopping needs.
    """
    top = max(logits)
    shifted = [one - top for one in logits]
    return SCORES[word].of_one(shifted if temperature == 1.0 else [one / temperature for one in shifted])
