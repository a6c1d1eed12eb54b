"""Thresholds of early exits: the grid against a loop over its combinations, curves, targets, shares, calibration."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genome.exits.calibration import calibration_error, fitted_temperature
from genome.exits.curve import RULES, Seen, Target, TargetError, curve, outcome, picked
from genome.exits.grid import screened
from genome.exits.rules import Threshold, chosen
from genome.exits.table import Table, table_of, traded, unbeaten
from genome.exits.thresholds import PAPER, solved

DRAWS = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
ALEXNET = (1e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 0.75, 1.0, 5.0, 10.0)


def seen(exits: int, images: int, seed: int = 0, classes: int = 6) -> Seen:
    """Return logits of exits that know more and more, on images of which some are hard."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=images)
    ease = 2.0 / (0.3 + rng.gamma(1.5, size=images))
    logits = []
    for exit in range(exits):
        z = rng.normal(size=(images, classes))
        z[np.arange(images), labels] += (2.0 + exit) * ease
        logits.append(z.astype(np.float32))
    return Seen(tuple(logits), labels)


def costs(exits: int, seed: int = 0) -> tuple[float, ...]:
    return tuple(np.random.default_rng(seed).uniform(1, 5, exits).cumsum().tolist())


@DRAWS
@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_the_grid_is_a_loop_over_its_combinations(exits: int, seed: int) -> None:
    """With certainties that are equal, and images that may not leave."""
    rng = np.random.default_rng(seed)
    certainty = rng.integers(0, 5, (exits - 1, 30)).astype(float)
    certainty[rng.random(certainty.shape) < 0.1] = -np.inf
    table = Table(certainty, rng.random((exits, 30)) < 0.7, np.array(costs(exits, seed)))
    levels = [np.unique(rng.choice(np.arange(-0.5, 6.0, 0.5), 4)) for _ in certainty]
    by_hand = unbeaten([traded(table, one) for one in product(*levels)])
    found = screened(table, levels)
    assert [one.hits for one in found] == [one.hits for one in by_hand]
    np.testing.assert_allclose([one.cost for one in found], [one.cost for one in by_hand], rtol=1e-12)
    assert all(traded(table, one.levels).hits == one.hits for one in found)


@pytest.mark.parametrize("base", [PAPER, ALEXNET])
@pytest.mark.parametrize("exits", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_never_worse_than_the_screening_of_the_paper(base: tuple[float, ...], exits: int, seed: int) -> None:
    """Whatever accuracy a combination of the paper's thresholds has, the curve has it for no more multiply-adds."""
    found, prices = seen(exits, 800, seed), costs(exits, seed)
    points = curve("entropy", found, prices)
    cheaper = 0
    for thresholds in product(base, repeat=exits - 1):
        theirs = outcome(Threshold("entropy", thresholds), found, prices)
        ours = next(one for one in points if one.accuracy >= theirs.accuracy - 1e-12)
        assert ours.cost <= theirs.cost * (1 + 1e-12), thresholds
        cheaper += ours.cost < theirs.cost * 0.99
    assert cheaper >= len(base) // 2, "and it is cheaper for many of them"


def test_few_images_are_solved_exactly() -> None:
    """Against every combination of levels between neighbouring images."""
    found, prices = seen(3, 40, 5), costs(3)
    table = table_of("margin", found.logits, found.labels, prices)
    cuts = [[-9.0, *((np.sort(row)[1:] + np.sort(row)[:-1]) / 2), 1.0] for row in table.certainty]
    exact = unbeaten([traded(table, tuple(map(float, one))) for one in product(*cuts)])
    ours = solved(table, "margin")
    assert [one.hits for one in ours] == [one.hits for one in exact]
    np.testing.assert_allclose([one.cost for one in ours], [one.cost for one in exact], rtol=1e-12)


@pytest.mark.parametrize("word", RULES)
@pytest.mark.parametrize("exits", [2, 3, 5])
def test_a_curve_rises_and_its_points_are_what_their_rules_come_to(word: str, exits: int) -> None:
    found, prices = seen(exits, 300), costs(exits)
    found = found._replace(temperatures=tuple(np.linspace(1.5, 0.5, exits).tolist()))
    points = curve(word, found, prices)
    for one, other in pairwise(points):
        assert one.cost < other.cost and one.accuracy < other.accuracy
    assert points[-1].accuracy >= found.accuracies()[-1], "the whole network is never lost"
    for one in points:
        again = outcome(one.rule, found, prices)
        assert again.accuracy == pytest.approx(one.accuracy, abs=1e-12)
        assert again.cost == pytest.approx(one.cost, rel=1e-12)
        assert sum(again.shares) == pytest.approx(1.0, abs=1e-12)
        assert prices[0] <= one.cost <= prices[-1] * (1 + 1e-12)


def test_a_target_picks_its_point() -> None:
    found, prices = seen(4, 500), costs(4)
    points, last = curve("entropy", found, prices), found.accuracies()[-1]
    whole = picked(points, Target("drop", 0.0), last)
    assert whole.accuracy >= last and whole.cost < prices[-1]
    looser = picked(points, Target("drop", 0.02), last)
    assert looser.cost < whole.cost and looser.accuracy >= last - 0.02
    bounded = picked(points, Target("cost", looser.cost), last)
    assert bounded == looser
    with pytest.raises(TargetError) as missed:
        picked(points, Target("cost", prices[0] * 0.9), last)
    assert missed.value.nearest == points[0]
    with pytest.raises(TargetError) as missed:
        picked(points, Target("drop", -0.5), last)
    assert missed.value.nearest == points[-1]


def test_a_percentage_of_those_that_reach_an_exit_leaves() -> None:
    found, prices = seen(4, 1000), costs(4)
    points = {outcome(one.rule, found, prices).shares for one in curve("percent", found, prices)}
    assert any(np.allclose(one, (0.5, 0.25, 0.125, 0.125)) for one in points)


@pytest.mark.parametrize("word", RULES)
def test_images_whose_logits_are_nan_never_leave_early(word: str) -> None:
    found, prices = seen(3, 200), costs(3)
    for one in found.logits[:-1]:
        one[::4] = np.nan
    for point in curve(word, found, prices):
        taken = chosen(point.rule, found.logits)
        assert word == "patience" or (taken[::4] == 2).all()


@pytest.mark.parametrize(
    ("word", "given", "message"),
    [
        ("luck", seen(3, 20), "the rule is 'luck'; it may be entropy, confidence, margin, percent, patience"),
        ("entropy", seen(1, 20), "the network has one exit; stopping early needs two or more"),
        ("entropy", seen(3, 0), "there are no images; thresholds need at least one"),
    ],
)
def test_refusals(word: str, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        curve(word, given, costs(3))


def test_the_temperature_is_found_again() -> None:
    """Labels are drawn from the softmax of the logits, which are then made three times as large."""
    rng = np.random.default_rng(0)
    z = rng.normal(scale=2, size=(20_000, 5))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = (p.cumsum(1) > rng.random((len(p), 1))).argmax(1)
    found = fitted_temperature(3 * z, labels)
    assert found == pytest.approx(3.0, rel=0.05)
    assert calibration_error(3 * z, labels) > 0.1 and calibration_error(3 * z, labels, found) < 0.02


def test_calibration_by_its_definition() -> None:
    """Three images of confidence 0.5 of which two are right, and one of confidence 0.9 that is right."""
    z = np.log([[0.5, 0.3, 0.2]] * 3 + [[0.9, 0.05, 0.05]])
    assert calibration_error(z, np.array([0, 0, 1, 0])) == pytest.approx((3 * (2 / 3 - 0.5) + 0.1) / 4)


def test_temperatures_at_the_ends_of_their_range() -> None:
    z = np.array([[2.0, 0.0], [3.0, 0.0]])
    assert fitted_temperature(z, np.array([0, 0])) == pytest.approx(0.01)
    assert fitted_temperature(z, np.array([1, 1])) == pytest.approx(100.0)
    assert fitted_temperature(np.full((2, 2), np.nan), np.array([0, 1])) == 1.0
    assert fitted_temperature(np.zeros((2, 2)), np.array([0, 1])) > 0
    assert calibration_error(np.full((2, 2), np.nan), np.array([0, 1])) == 0.0
