"""Rungs, brackets and promotions as pure rules."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.pruners.brackets import bracket_of, epochs_each, is_too_early, next_bracket, opened, usual_rungs
from search.pruners.promotion import candidates, everyone, last_share, ranked, stands_at, top_share
from search.pruners.rules import Climb

RUNGS = (2, 6)


@given(st.integers(1, 1000))
def test_usual_rungs_rise_and_none_is_too_early(epochs: int) -> None:
    rungs = usual_rungs(epochs)
    assert list(rungs) == sorted(set(rungs)) and all(0 < rung < epochs for rung in rungs)
    assert not any(is_too_early(rung, epochs) for rung in rungs)
    assert len(rungs) == 2 or epochs < 4


def test_usual_rungs_of_usual_trainings() -> None:
    assert [usual_rungs(epochs) for epochs in (1, 2, 9, 18, 20, 81)] == [
        (),
        (1,),
        (1, 3),
        (2, 6),
        (3, 7),
        (9, 27),
    ]


def test_a_bracket_costs_what_its_survivors_do() -> None:
    assert epochs_each((2, 6), 18) == pytest.approx([2 + 4 / 3 + 12 / 9, 6 + 12 / 3, 18])


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_budget_never_closes_a_bracket(less: float, more: float) -> None:
    less, more = sorted((less, more))
    assert 1 <= opened(RUNGS, 18, less) <= opened(RUNGS, 18, more) <= 3


def test_a_bracket_opens_when_a_whole_round_of_it_is_paid() -> None:
    assert [opened(RUNGS, 18, epochs) for epochs in (0, 42 + 29, 42 + 31, 42 + 30 + 19, math.inf)] == [
        1,
        1,
        2,
        3,
        3,
    ]


@given(st.integers(1, 3), st.integers(50, 200))
def test_each_open_bracket_gets_its_share(open_brackets: int, trials: int) -> None:
    begun = [0, 0, 0]
    for _ in range(trials):
        begun[next_bracket(RUNGS, 18, begun, open_brackets)] += 1
    each = epochs_each(RUNGS, 18)
    given_epochs = [count * cost for count, cost in zip(begun, each, strict=True)][:open_brackets]
    assert max(given_epochs) - min(given_epochs) <= max(each), "as even as whole trials can be"
    assert not any(begun[open_brackets:])


def test_a_trial_stays_in_the_bracket_that_it_entered() -> None:
    assert [bracket_of(RUNGS, climbed) for climbed in ((2, 6), (2, 4), (6, 8), (4, 8), ())] == [0, 0, 1, 2, 2]


# --- promotion


def climbs(*scores: float, rung: int = 2) -> dict[int, Climb]:
    return {number: Climb({rung: score}) for number, score in enumerate(scores)}


def test_one_in_three_goes_on_the_best_first() -> None:
    three = climbs(0.1, 0.9, 0.2)
    assert [*candidates(RUNGS, climbs(0.1, 0.9), {0, 1}, top_share)] == []
    assert [*candidates(RUNGS, three, {0, 1, 2}, top_share)] == [1]
    assert [*candidates(RUNGS, three, {0, 2}, top_share)] == [], "the best has gone on, or is running"
    assert [*candidates(RUNGS, three, {0, 2}, everyone)] == [2, 0]
    assert [*candidates(RUNGS, climbs(0.1, 0.9), {0, 1}, last_share)] == [1]


def test_the_highest_rung_comes_first_and_brackets_are_apart() -> None:
    known = climbs(0.1, 0.9, 0.2) | {n: Climb({2: 0.5, 6: 0.6 + n / 100}) for n in (3, 4, 5)}
    known |= {6: Climb({6: 0.99})}
    paused = set(known)
    assert [*candidates(RUNGS, known, paused, top_share)] == [5, 1]
    assert [*candidates(RUNGS, known, paused, last_share)] == [5, 6, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_at_each_rung_the_best_third_goes_on_whatever_the_order(scores: list[float]) -> None:
    """Trials arrive one after another, as with one worker; a trial that may continue does so at once."""
    known: dict[int, Climb] = {}
    paused: set[int] = set()
    ended: set[int] = set()
    for number, score in enumerate(scores):
        known[number] = Climb({2: score})
        paused.add(number)
        while (up := next(candidates(RUNGS, known, paused, top_share), None)) is not None:
            if stands_at(RUNGS, known[up]) == 6:
                paused.remove(up)
                ended.add(up)
            else:
                known[up] = Climb({2: scores[up], 6: scores[up]})
    for rung, gone_on in ((2, {n for n in known if 6 in known[n].scores}), (6, ended)):
        here = {n: climb for n, climb in known.items() if rung in climb.scores}
        assert {*ranked(here, rung)[: len(here) // 3]} <= gone_on
        assert len(gone_on) <= max(0, len(here) - 2), "the first two never go on by themselves alone"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=40),
)
def test_with_several_objectives_what_is_beaten_by_few_comes_first(
    points: list[tuple[float, int, int]],
) -> None:
    known = {n: Climb({2: score}, (float(a), float(b))) for n, (score, a, b) in enumerate(points)}
    costs = {n: (-s, a, b) for n, (s, a, b) in enumerate(points)}

    def beaten(me: int) -> int:
        return sum(
            costs[o] != costs[me] and all(x <= y for x, y in zip(costs[o], costs[me], strict=True))
            for o in costs
        )

    order = ranked(known, 2)
    assert sorted(order) == sorted(known)
    assert [beaten(n) for n in order] == sorted(beaten(n) for n in order)
