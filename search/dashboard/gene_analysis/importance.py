"""The importance of each gene for the rank of a network, measured by a random forest on unseen trials.

Permutation importance (Breiman, Random Forests, Machine Learning 45, 2001), by scikit-learn: the loss of accuracy
of the forest when the answers to one hole are shuffled among the trials. Genes that always change together share
their importance, and values that the sampler seldom tried are judged badly: the importance is a hint, no proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

LEAST = 24  # fewest trials for an estimate
MOST = 1000  # most trials in an estimate; of more trials, an evenly spread sample
TREES, REPEATS = 48, 2  # of the forest, of each shuffle
FOLDS = 4  # of the cross-validation: each trial is predicted once by a forest that has not seen it
LEAST_EXPLAINED = 0.05  # below which the genes have no importance


class Importance(NamedTuple):
    """The importance of the genes of a space."""

    trials: int  # in the estimate
    explained: float  # share of the variance in rank of unseen trials that the forest explains (R2)
    shares: tuple[float, ...]  # of each hole in the importance of all; 0 where the forest explains too little


def importance(codes: np.ndarray, places: np.ndarray) -> Importance | None:
    """Return the importance of each hole for the places of trials, or None where there are too few trials.

    `codes` is (trials, holes): kinds of answers from 1, or 0 where the genome does not have the hole. `places` is
    (trials,): a lower place is better.
    """
    import numpy as np
    from sklearn.model_selection import KFold

    if len(codes) < LEAST or codes.shape[1] == 0:
        return None
    chosen = np.unique(np.linspace(0, len(codes) - 1, min(len(codes), MOST)).round().astype(int))
    x = np.where(codes == 0, np.nan, codes.astype(float))[chosen]
    y = places.argsort(kind="stable").argsort(kind="stable")[chosen] / len(places)
    folds = [
        _fold(x, y, seen, unseen) for seen, unseen in KFold(FOLDS, shuffle=True, random_state=0).split(x)
    ]
    explained = 1.0 - sum(error for error, _ in folds) / float(((y - y.mean()) ** 2).sum())
    if explained < LEAST_EXPLAINED:
        return Importance(len(chosen), max(explained, 0.0), (0.0,) * codes.shape[1])
    worth = np.maximum(sum(drops for _, drops in folds), 0.0)
    shares = worth / (worth.sum() or 1.0)
    return Importance(len(chosen), explained, tuple(float(share) for share in shares))


def _fold(x: np.ndarray, y: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum of squared errors on the unseen trials, and the growth of the error by the shuffle of each hole."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=0)
    forest.fit(x[seen], y[seen])
    error = float(((forest.predict(x[unseen]) - y[unseen]) ** 2).sum())
    drops = permutation_importance(
        forest, x[unseen], y[unseen], scoring="neg_mean_squared_error", n_repeats=REPEATS, random_state=0
    )
    return error, drops.importances_mean
