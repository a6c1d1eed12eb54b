"""The pruner forecast: who goes on is who promises more than a new network would."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.pruners.forecast import FINISHED, improvement, promises_less
from search.pruners.rules import Climb, should_stop

RUNG, EPOCHS = 3, 9


def climbs(trials: int, told: float, seed: int = 0, gain: float = 0.0) -> list[Climb]:
    """Return trials whose score at the rung correlates with the end by `told`; size adds `gain` after the rung."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(trials):
        early, luck, size = rng.normal(size=3)
        late = told * early + math.sqrt(1 - told**2) * luck + gain * size
        scores = {RUNG: 1 - math.exp(-1.0 - 0.2 * early)}
        found.append(Climb(scores, (), 14.0 + size, 1 - math.exp(-2.0 - 0.2 * late)))
    return found


def at(early: float, size: float = 0.0) -> Climb:
    return Climb({RUNG: 1 - math.exp(-1.0 - 0.2 * early)}, (), 14.0 + size)


def stopped(peers: list[Climb], early: float, size: float = 0.0, rung: int = RUNG) -> bool:
    mine = at(early, size)
    return promises_less(rung, EPOCHS, Climb({rung: mine.scores[RUNG]}, (), mine.size), peers, 1.0)


def test_nobody_is_stopped_before_some_trials_have_ended() -> None:
    assert not stopped(climbs(FINISHED - 1, 0.9), -5.0)
    assert stopped(climbs(FINISHED, 0.9), -5.0)


def test_who_is_far_behind_is_stopped_and_who_is_ahead_goes_on() -> None:
    every = [climbs(20, 0.9, seed) for seed in range(20)]
    assert all(stopped(peers, -2.0) for peers in every)
    assert sum(stopped(peers, 2.0) for peers in every) <= 1, "where the best trial is far beyond all others"


def test_a_rung_that_tells_nothing_stops_hardly_anybody() -> None:
    usual = (-1.0, -0.5, 0.0, 0.5, 1.0)
    told = [stopped(climbs(30, 0.9, seed), early) for seed in range(20) for early in usual]
    untold = [stopped(climbs(30, 0.0, seed), early) for seed in range(20) for early in usual]
    assert np.mean(told) > 0.5
    assert np.mean(untold) < 0.15


def test_at_a_later_rung_more_go_on() -> None:
    """What a trial still costs is less there, and a new network costs what it always does."""
    peers = [
        Climb({RUNG: one.scores[RUNG], 8: one.scores[RUNG]}, (), one.size, one.end) for one in climbs(30, 0.6)
    ]
    early = [-3 + i / 10 for i in range(60)]
    assert sum(stopped(peers, one) for one in early) > sum(stopped(peers, one, rung=8) for one in early)


def test_a_large_network_is_judged_by_what_large_ones_come_to() -> None:
    for seed in range(5):
        peers = climbs(40, 0.6, seed, gain=1.0)
        assert stopped(peers, 0.0, size=-2.0)
        assert not stopped(peers, 0.0, size=3.0)


def test_who_was_stopped_counts_by_its_forecast() -> None:
    """Else a new network would seem to come to what the best come to, and ever more would be stopped."""
    weak = [Climb(at(-2.0).scores, (), 14.0) for _ in range(20)]
    every = [climbs(12, 0.9, seed) for seed in range(10)]
    middling = [early / 10 for early in range(-20, 20)]
    before = sum(stopped(peers, one) for peers in every for one in middling)
    assert sum(stopped(peers + weak, one) for peers in every for one in middling) < before


@pytest.mark.parametrize("ceiling", [1.0, 0.0])
def test_a_perfect_score_and_equal_trials_are_judged(ceiling: float) -> None:
    perfect = [Climb({RUNG: ceiling}, (), 14.0, ceiling) for _ in range(9)]
    assert promises_less(RUNG, EPOCHS, Climb({RUNG: ceiling - 0.5}, (), 14.0), perfect, ceiling)
    assert not promises_less(RUNG, EPOCHS, Climb({RUNG: ceiling}, (), 14.0), perfect, ceiling)


def test_the_name_stands_in_the_register() -> None:
    assert should_stop("forecast", RUNG, EPOCHS, at(-2.0), climbs(20, 0.9), 1.0)
    heavy = [Climb(one.scores, (100.0,), one.size, one.end) for one in climbs(20, 0.9)]
    assert not should_stop("forecast", RUNG, EPOCHS, Climb(at(-2.0).scores, (1.0,), 14.0), heavy, 1.0), (
        "a cheap network is judged by its like"
    )


def test_the_improvement_is_that_of_a_normal_result() -> None:
    from statistics import NormalDist

    drawn = np.random.default_rng(0).normal(0.3, 0.5, 400_000)
    assert improvement(NormalDist(0.3, 0.5), 0.8) == pytest.approx(
        np.maximum(drawn - 0.8, 0.0).mean(), rel=0.02
    )
