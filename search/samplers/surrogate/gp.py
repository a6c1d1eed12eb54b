"""Gaussian processes over a sum of given kernels (Rasmussen and Williams, 2006): fit, condition, predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from search.samplers.surrogate.errors import FitError

# targets have variance 1, of which the parts are expected to explain most, each its share
NOISE = 0.1
SPREAD = 1.0  # of the logarithm of each weight: a factor of e up or down is usual
BOUNDS = (-9.0, 4.0)  # of the logarithm of each weight
JITTER = 1e-6  # of variance, for what rounding takes from the diagonal
ITERATIONS = 40  # of L-BFGS; the last digits of a weight change no ranking


class Weights(NamedTuple):
    """What a Gaussian process is fitted by."""

    # variance of the function of each part
    parts: np.ndarray
    # variance of the noise of a target of scale 1
    noise: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """The distribution of the function, given its targets."""

    weights: Weights
    # Cholesky factor of K + noise
    factor: tuple[np.ndarray, bool]
    # inverse of K + noise, times the targets
    dual: np.ndarray

    def mean(self, cross: np.ndarray) -> np.ndarray:
        """Return the mean of the function at m points; `cross` (parts, m, n) is between these and the known."""
        return np.asarray(np.tensordot(self.weights.parts, cross, axes=1) @ self.dual)

    def predict(self, cross: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the function, without noise, at m points.

        `cross` (parts, m, n) is each part between these and the n known points, `own` (parts, m) at them.
        """
        between = np.tensordot(self.weights.parts, cross, axes=1)  # (m, n)
        explained = np.einsum("ij,ji->i", between, cho_solve(self.factor, between.T, check_finite=False))
        variance = self.weights.parts @ own - explained
        return between @ self.dual, np.sqrt(np.maximum(variance, JITTER))


def weigh(parts: np.ndarray, targets: np.ndarray, scale: np.ndarray) -> Weights:
    """Return the weights of greatest posterior density: marginal likelihood times a log-normal prior.

    `parts` (parts, n, n) are the kernels between the points, `scale` (n,) is the noise of each in units of the
    usual one. The prior keeps weights of which few targets say little near equal shares.

    Raises:
        FitError: targets that are all equal or not finite, or a kernel that is none.
    """
    if not np.isfinite(targets).all() or not np.isfinite(parts).all():
        raise FitError("targets or kernels are not finite")
    if np.ptp(targets) == 0.0:
        raise FitError(f"all {len(targets)} targets are equal")
    prior = np.log([*np.full(len(parts), 1.0 / len(parts)), NOISE])
    try:
        found = minimize(
            _loss,
            prior,
            args=(_halved(parts), targets, scale, prior),
            jac=True,
            method="L-BFGS-B",
            bounds=[BOUNDS] * len(prior),
            options={"maxiter": ITERATIONS},
        )
    except LinAlgError as error:
        raise FitError(f"the kernel is not positive definite ({error})") from None
    best = np.exp(found.x)
    return Weights(best[:-1], float(best[-1]))


class _Half(NamedTuple):
    """Kernels as their upper triangles: the other half says the same, and reading them takes most of the time."""

    # (n (n + 1) / 2,), where an entry is in a flat matrix
    at: np.ndarray
    # likewise, how often it occurs in the whole matrix: once on the diagonal, else twice
    times: np.ndarray
    # (parts, n (n + 1) / 2)
    values: np.ndarray


def _halved(parts: np.ndarray) -> _Half:
    rows, columns = np.triu_indices(parts.shape[1])
    at = rows * parts.shape[1] + columns
    values = np.array([part.take(at) for part in parts])
    return _Half(at, np.where(rows == columns, 1.0, 2.0), values)


def _loss(
    logs: np.ndarray, half: _Half, targets: np.ndarray, scale: np.ndarray, prior: np.ndarray
) -> tuple[float, np.ndarray]:
    """The negative log density of the weights (equation 5.8 and the prior) and its gradient (5.9)."""
    size, weights = len(targets), np.exp(logs)
    kernel = np.zeros(size * size)
    kernel[half.at] = weights[:-1] @ half.values
    factor = _factored(kernel.reshape(size, size).T, weights[-1] * scale)
    dual = cho_solve(factor, targets, check_finite=False)
    away = (logs - prior) / SPREAD
    loss = 0.5 * targets @ dual + np.log(np.diag(factor[0])).sum() + 0.5 * away @ away
    inverse, _ = dpotri(factor[0], lower=1, overwrite_c=1)  # its lower triangle, half the work of all of it
    pull = np.outer(dual, dual) - inverse.T
    slopes = np.append(half.values @ (half.times * pull.take(half.at)), scale @ np.diag(pull))
    return float(loss), -0.5 * weights * slopes + away / SPREAD


def condition(weights: Weights, parts: np.ndarray, targets: np.ndarray, scale: np.ndarray) -> Posterior:
    """Return the posterior of given weights after these targets (equations 2.25 and 2.26).

    Raises:
        FitError: a kernel that is not positive definite.
    """
    try:
        factor = _factored(np.tensordot(weights.parts, parts, axes=1), weights.noise * scale)
    except LinAlgError as error:
        raise FitError(f"the kernel is not positive definite ({error})") from None
    return Posterior(weights, factor, cho_solve(factor, targets))


def _factored(kernel: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, bool]:
    """The lower Cholesky factor of a kernel, of which the lower triangle is read, and noise on its diagonal."""
    noisy = np.array(kernel, order="F")
    noisy.ravel(order="K")[:: len(noise) + 1] += noise + JITTER
    return cho_factor(noisy, lower=True, overwrite_a=True, check_finite=False)  # type: ignore[no-any-return]
