"""The importance of each gene for the rank of a network, measured by a random forest on unseen trials.

Permutation importance (Breiman, Random Forests, Machine Learning 45, 2001), with the forest of scikit-learn: its loss
of accuracy when the answers to one hole are shuffled among the trials. One prediction is made for the shuffles of all
holes, because a prediction of few trials takes as long as one of thousands. Genes that always change together share
their importance, and values that the sampler seldom tried are judged badly: the importance is a hint, no proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

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

    forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=0)
    forest.fit(x[seen], y[seen])
    error = float(((forest.predict(x[unseen]) - y[unseen]) ** 2).sum())
    return error, _shuffled(forest, x[unseen], y[unseen]) - error / len(unseen)


def _shuffled(forest: RandomForestRegressor, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean squared error of the forest with the answers to each hole shuffled."""
    import numpy as np

    (trials, holes), rng = x.shape, np.random.default_rng(0)
    errors = np.zeros(holes)
    for _ in range(REPEATS):
        copies = np.repeat(x[np.newaxis].astype(np.float32), holes, axis=0)
        for hole in range(holes):
            copies[hole, :, hole] = rng.permutation(copies[hole, :, hole])
        predicted = forest.predict(copies.reshape(-1, holes)).reshape(holes, trials)
        errors += ((predicted - y) ** 2).mean(axis=1) / REPEATS
    return errors
