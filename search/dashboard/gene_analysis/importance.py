"""How much each gene tells of how good a network is: a forest learns it, and is asked about trials it has not seen.

Permutation importance (Breiman, Random Forests, Machine Learning 45, 2001), by scikit-learn: by how much the
forest gets worse where the answers to one hole are shuffled among the trials. Genes that always change together
share what they tell, and what a sampler seldom tried is told badly: it is a hint and no proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

LEAST = 24  # trials
MOST = 1000  # trials: of more, as many spread evenly
TREES, REPEATS = 48, 2
FOLDS = 4  # each trial is asked about once, and learnt from in the others
LEAST_EXPLAINED = 0.05


class Importance(NamedTuple):
    """`explained`: the share of the differences in rank between unseen trials that the forest explains (R2).

    shares: of each hole in what it explains, 0 where it explains next to nothing.
    """

    trials: int
    explained: float
    shares: tuple[float, ...]


def importance(codes: np.ndarray, places: np.ndarray) -> Importance | None:
    """Return what tells the places of trials, or None where there are too few.

    codes: (trials, holes), kinds of answers from 1, 0 where a hole was not asked.  places: (trials,), lower is better.
    """
    import numpy as np
    from sklearn.model_selection import KFold

    if len(codes) < LEAST or codes.shape[1] == 0:
        return None
    chosen = np.unique(np.linspace(0, len(codes) - 1, min(len(codes), MOST)).round().astype(int))
    x = np.where(codes == 0, np.nan, codes.astype(float))[chosen]
    y = places.argsort(kind="stable").argsort(kind="stable")[chosen] / len(places)
    told = [
        _told(x, y, learnt, asked) for learnt, asked in KFold(FOLDS, shuffle=True, random_state=0).split(x)
    ]
    explained = 1.0 - sum(wrong for wrong, _ in told) / float(((y - y.mean()) ** 2).sum())
    if explained < LEAST_EXPLAINED:
        return Importance(len(chosen), max(explained, 0.0), (0.0,) * codes.shape[1])
    worth = np.maximum(sum(drops for _, drops in told), 0.0)
    shares = worth / (worth.sum() or 1.0)
    return Importance(len(chosen), explained, tuple(float(share) for share in shares))


def _told(x: np.ndarray, y: np.ndarray, learnt: np.ndarray, asked: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum of squared errors on the trials that were not learnt from, and how much worse each shuffle makes it."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=0)
    forest.fit(x[learnt], y[learnt])
    wrong = float(((forest.predict(x[asked]) - y[asked]) ** 2).sum())
    drops = permutation_importance(
        forest, x[asked], y[asked], scoring="neg_mean_squared_error", n_repeats=REPEATS, random_state=0
    )
    return wrong, drops.importances_mean
