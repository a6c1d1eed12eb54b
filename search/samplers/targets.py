"""Targets: costs of trials as numbers that a Gaussian process can learn; lower is better."""

from __future__ import annotations

from random import Random

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

USUAL = 0.9  # of the trials are within the scale of an objective
SUM = 0.05  # share of the sum beside the largest, so that a weakly dominated point is not as good


def scores(costs: np.ndarray) -> np.ndarray:
    """Return the normal score of each cost's rank: what a failed training came to can't drown the rest. (n,)"""
    return np.asarray(ndtri((rankdata(costs) - 0.5) / len(costs)))


def scalar(costs: np.ndarray, rng: Random) -> np.ndarray:
    """Return one cost of several, (n, objectives) -> (n,): the augmented Chebyshev norm, by weights drawn evenly.

    Over many proposals every part of the front has its turn (ParEGO: Knowles, IEEE TEVC 10(1), 2006). Objectives are
    scaled from their best to what nine in ten are better than, so that no failure sets the scale.
    """
    if costs.shape[1] == 1:
        return costs[:, 0]
    drawn = np.array([rng.expovariate(1.0) for _ in range(costs.shape[1])])
    least, bad = costs.min(axis=0), np.quantile(costs, USUAL, axis=0)
    weighed = (costs - least) / np.where(bad > least, bad - least, 1.0) * (drawn / drawn.sum())
    return np.asarray(weighed.max(axis=1) + SUM * weighed.sum(axis=1))
