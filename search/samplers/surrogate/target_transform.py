"""Target transform: costs of trials as numbers that a Gaussian process can learn; lower is better."""

from __future__ import annotations

from random import Random

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

MIDDLE = 0.0  # the score of the middle one of the even draws
FEW = 5  # even draws, of fewer of which no scale is taken
GOOD = 0.1  # of the draws are that much better than the middle one, or more
FARTHEST = 4.0  # the best trial is in these units
WORST = 2.0  # to which all that is worse than the middle is squeezed
USUAL = 0.9  # of the trials are within the scale of an objective
SUM = 0.05  # share of the sum beside the largest, so that a weakly dominated point is not as good


def scores(costs: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Return costs in units of the space: 0 is the middle of its even draws, -1.28 what a tenth of them better. (n,)

    even: (n,), which are of even draws. The unit is not that of all trials: as a search goes on these are children of
    a few, hardly better than each other but by chance, and ranks among them would make this chance the scale and leave
    no room for what is better than they are. What is worse than the middle is squeezed: failures can't drown the rest.
    Where no draw is better than the middle one these are normal scores of ranks.
    """
    known = costs[even] if even.sum() >= FEW else costs
    middle = np.median(known)
    unit = max((np.quantile(known, GOOD) - middle) / ndtri(GOOD), (middle - costs.min()) / FARTHEST)
    if not unit > 0:
        return np.asarray(ndtri((rankdata(costs) - 0.5) / len(costs)))
    scaled = (costs - middle) / unit
    return np.asarray(np.where(scaled > 0, WORST * np.tanh(scaled / WORST), scaled))


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
