"""Expected improvement: how much a new network is expected to better what is known, given trials that ended, that were
pruned and that are running."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from search.samplers.base import Individual
from search.samplers.surrogate import extrapolation, gp, graph_kernels, multi_fidelity, target_transform
from search.samplers.surrogate.extrapolation import Sight
from search.samplers.surrogate.multi_fidelity import Observations

# trials that are learnt from, where there are more: the cost grows as their cube
BEST, NEWEST, OTHERS = 150, 100, 100
# points that the weights of the kernels are fitted to, where there are more: more hardly change the weights, and the
# many steps of the fit take most of the time
WEIGHED = 128
LEAST_PROGRESS = 0.05  # of a training, for the noise of its result


class Seen(NamedTuple):
    """What was seen of measured trials: first where each ended."""

    sights: Sequence[Sight]
    # of each sight, as one number, lower is better
    costs: np.ndarray


def seen_of(measured: Sequence[Individual], rng: Random) -> Seen:
    """Return what was seen of measured trials; several objectives are one by weights that are drawn."""
    sights = extrapolation.sights(measured)
    return Seen(sights, target_transform.scalar(np.array([one.costs for one in sights]), rng))


def observations(seen: Sequence[Sight], scores: np.ndarray, taught: Sequence[int]) -> Observations:
    """Return what was seen of the trials at these places, as of points numbered in their order."""
    point = {trial: i for i, trial in enumerate(taught)}
    chosen = [i for i, one in enumerate(seen) if one.trial in point]
    return Observations(
        np.array([point[seen[i].trial] for i in chosen]),
        np.array([seen[i].is_brief for i in chosen]),
        np.array([1.0 / max(seen[i].progress, LEAST_PROGRESS) for i in chosen]),
        scores[chosen],
    )


class Foretold(NamedTuple):
    """What experience foretells of points: the mean of the Gaussian process before anything was observed."""

    # (n,), of known points
    known: np.ndarray
    # (m,), of new ones
    new: np.ndarray

    @classmethod
    def nothing(cls, kernels: graph_kernels.Kernels) -> Foretold:
        """Return that of no experience."""
        return cls(np.zeros(kernels.known.shape[1]), np.zeros(kernels.own.shape[1]))


def improvement(
    kernels: graph_kernels.Kernels,
    observed: Observations,
    than: float | None = None,
    foretold: Foretold | None = None,
) -> np.ndarray:
    """Return the expected improvement of each new point on the lowest mean of a measured one, or on `than`.

    The known points are first those that were observed, then those that are running.

    Raises:
        FitError: where no Gaussian process can be fitted to the scores.
    """
    n, foretold = int(observed.points.max()) + 1, foretold or Foretold.nothing(kernels)
    measured, running = kernels.known[:, :n, :n], kernels.known[:, n:, :n]
    observed = observed._replace(scores=observed.scores - foretold.known[observed.points])
    posterior = _fitted(measured, observed)
    if than is None:
        than = (posterior.mean(multi_fidelity.between(measured, observed)) + foretold.known[:n]).min()
    believed = posterior.mean(multi_fidelity.between(running, observed))
    if len(believed):
        observed = observed.believing(believed)
        among = multi_fidelity.among(kernels.known, observed)
        posterior = gp.condition(posterior.weights, among, observed.scores, observed.noise)
    new = multi_fidelity.between(kernels.cross, observed), multi_fidelity.at(kernels.own, observed)
    mean, deviation = posterior.predict(*new)
    return expected_improvement(mean + foretold.new, deviation, than)


def means(
    kernels: graph_kernels.Kernels, observed: Observations, foretold: Foretold | None = None
) -> np.ndarray:
    """Return the mean of a whole training of each observed point: its own scores, and those of similar points. (n,)

    Raises:
        FitError: where no Gaussian process can be fitted to the scores.
    """
    foretold = foretold or Foretold.nothing(kernels)
    observed = observed._replace(scores=observed.scores - foretold.known[observed.points])
    found = _fitted(kernels.known, observed).mean(multi_fidelity.between(kernels.known, observed))
    return np.asarray(found + foretold.known)


def _fitted(known: np.ndarray, observed: Observations) -> gp.Posterior:
    among = multi_fidelity.among(known, observed)
    some = _spread(observed.points)
    parts = among if len(some) == len(observed.points) else among[:, some[:, None], some]
    weights = gp.weigh(parts, observed.scores[some], observed.noise[some])
    return gp.condition(weights, among, observed.scores, observed.noise)


def _spread(points: np.ndarray) -> np.ndarray:
    """The places of the observations of points that are spread evenly over all, at most as many as are weighed."""
    n = int(points.max()) + 1
    chosen = np.linspace(0, n - 1, min(n, WEIGHED)).round()
    return np.flatnonzero(np.isin(points, chosen))


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, lowest: float) -> np.ndarray:
    """Return E max(0, lowest - f) for f normal (Jones et al., J. Global Optimization 13, 1998, equation 15)."""
    z = (lowest - mean) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))


def learnt_from(costs: np.ndarray, rng: Random) -> list[int]:
    """Return the places of the trials to learn from: all, or of many the best, the newest, and some others."""
    if len(costs) <= BEST + NEWEST + OTHERS:
        return list(range(len(costs)))
    best = np.argsort(costs, kind="stable")[:BEST].tolist()
    chosen = {*best, *range(len(costs) - NEWEST, len(costs))}
    rest = [i for i in range(len(costs)) if i not in chosen]
    return sorted([*chosen, *rng.sample(rest, OTHERS)])
