"""Gaussian processes, against scikit-learn's and against numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from search.samplers.surrogate import gp
from search.samplers.surrogate.errors import FitError
from search.samplers.surrogate.improvement import expected_improvement

RNG = np.random.default_rng(0)
X, NEW = RNG.uniform(-2, 2, (30, 2)), RNG.uniform(-3, 3, (7, 2))
Y = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1] + 0.05 * RNG.normal(size=30)
ONES = np.ones(30)


def rbf(a: np.ndarray, b: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-((a[:, None] - b) ** 2).sum(axis=-1) / (2 * length**2))


PARTS = np.array([rbf(X, X, 0.5), rbf(X, X, 2.0)])
CROSS = np.array([rbf(NEW, X, 0.5), rbf(NEW, X, 2.0)])
WEIGHTS = gp.Weights(np.array([0.7, 0.4]), 0.02)


def theirs() -> GaussianProcessRegressor:
    kernel = ConstantKernel(0.7) * RBF(0.5) + ConstantKernel(0.4) * RBF(2.0)
    return GaussianProcessRegressor(kernel, alpha=0.02 + gp.JITTER, optimizer=None).fit(X, Y)


def test_the_posterior_is_that_of_scikit_learn() -> None:
    mean, deviation = theirs().predict(NEW, return_std=True)
    mine = gp.condition(WEIGHTS, PARTS, Y, ONES)
    np.testing.assert_allclose(mine.mean(CROSS), mean, atol=1e-9)
    for got, wanted in zip(mine.predict(CROSS, np.ones((2, 7))), (mean, deviation), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-8)


def test_the_loss_is_the_marginal_likelihood_of_scikit_learn_and_the_prior() -> None:
    logs, prior = np.log([0.7, 0.4, 0.02]), np.log([0.5, 0.5, 0.1])
    loss, _ = gp._loss(logs, gp._halved(PARTS), Y, ONES, prior)
    away = 0.5 * ((logs - prior) ** 2).sum()
    wanted = -theirs().log_marginal_likelihood_value_ - 0.5 * len(Y) * np.log(2 * np.pi)
    assert loss - away == pytest.approx(wanted, rel=1e-6)


def test_the_slope_is_that_of_differences() -> None:
    logs, prior = np.log([0.7, 0.4, 0.02]), np.log([0.5, 0.5, 0.1])
    args = (gp._halved(PARTS), Y, np.linspace(1, 4, 30), prior)
    slope = gp._loss(logs, *args)[1]
    for i, step in enumerate(1e-5 * np.eye(3)):
        difference = (gp._loss(logs + step, *args)[0] - gp._loss(logs - step, *args)[0]) / 2e-5
        assert slope[i] == pytest.approx(difference, rel=1e-4, abs=1e-5)


def test_weights_go_to_the_part_that_explains_the_targets() -> None:
    rng = np.random.default_rng(1)
    x, other = rng.uniform(-2, 2, (60, 1)), rng.uniform(-2, 2, (60, 1))
    parts = np.array([rbf(x, x, 1.0), rbf(other, other, 1.0)])
    found = gp.weigh(parts, np.sin(2 * x[:, 0]), np.ones(60))
    assert found.parts[0] > 5 * found.parts[1]
    assert found.noise < 0.05


def test_a_noisier_target_is_followed_less() -> None:
    far = Y + 3.0 * (np.arange(30) == 4)
    at = PARTS[:, 4:5]
    trusted = gp.condition(WEIGHTS, PARTS, far, ONES).mean(at)
    doubted = gp.condition(WEIGHTS, PARTS, far, np.where(np.arange(30) == 4, 20.0, 1.0)).mean(at)
    assert abs(doubted - Y[4]) < abs(trusted - Y[4])


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [(np.zeros(30), "all 30 targets are equal"), (np.full(30, np.nan), "targets or kernels are not finite")],
)
def test_what_teaches_nothing_is_refused(targets: np.ndarray, sentence: str) -> None:
    with pytest.raises(FitError, match=sentence):
        gp.weigh(PARTS, targets, ONES)


def test_a_kernel_that_is_none_is_refused() -> None:
    with pytest.raises(FitError, match="not positive definite"):
        gp.weigh(-PARTS, Y, ONES)
    with pytest.raises(FitError, match="not positive definite"):
        gp.condition(WEIGHTS, -PARTS, Y, ONES)


@pytest.mark.parametrize(
    ("mean", "deviation", "lowest"), [(0.3, 0.5, 0.0), (-1.0, 0.2, -0.7), (2.0, 1.5, 0.1)]
)
def test_expected_improvement_is_the_integral(mean: float, deviation: float, lowest: float) -> None:
    integral, _ = quad(lambda f: (lowest - f) * norm.pdf(f, mean, deviation), mean - 12 * deviation, lowest)
    found = expected_improvement(np.array([mean]), np.array([deviation]), lowest)
    assert found[0] == pytest.approx(integral, rel=1e-6)


def test_noise_is_what_white_noise_is() -> None:
    """Predictions are of the function, so that noise adds nothing to their deviation."""
    kernel = ConstantKernel(0.7) * RBF(0.5) + ConstantKernel(0.4) * RBF(2.0) + WhiteKernel(0.02)
    with_noise = GaussianProcessRegressor(kernel, alpha=gp.JITTER, optimizer=None).fit(X, Y)
    _, deviation = with_noise.predict(NEW, return_std=True)
    _, mine = gp.condition(WEIGHTS, PARTS, Y, ONES).predict(CROSS, np.ones((2, 7)))
    np.testing.assert_allclose(mine**2 + 0.02, deviation**2, atol=1e-8)
