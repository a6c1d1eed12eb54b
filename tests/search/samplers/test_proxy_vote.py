"""Screening: which proxies vote, which are dropped, and how much a proxy is worth in a study."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.samplers.proxy_vote import Evidence, Row, Screen, correlations, kept, trusted, votes


def seen(rows: list[Row], costs: list[float]) -> list[Evidence]:
    return [Evidence(row, cost) for row, cost in zip(rows, costs, strict=True)]


# costs 7, 6 .. 0: the later, the better; `right` rises with that, `wrong` falls, `flat` says nothing
ROWS: list[Row] = [{"right": i, "wrong": -i, "flat": 1.0} for i in range(8)]
COSTS = [7.0 - i for i in range(8)]


def test_correlations_have_the_sign_of_good_advice() -> None:
    assert correlations(seen(ROWS, COSTS)) == pytest.approx({"right": 1.0, "wrong": -1.0, "flat": 0.0})


def test_a_correlation_by_hand() -> None:
    # ranks of the proxy 1 2 3 4 against those of goodness 2 1 4 3: 1 - 6 * 4 / (4 * 15)
    rows: list[Row] = [{"p": v} for v in (0.1, 5.0, 7.0, 1e9)]
    assert correlations(seen(rows, [-2.0, -1.0, -4.0, -3.0]))["p"] == pytest.approx(0.6)


def test_an_undefined_or_missing_proxy_is_the_lowest() -> None:
    rows: list[Row] = [{}, {"p": 1.0}, {"p": 2.0}]
    assert correlations(seen(rows, [3.0, 2.0, 1.0]))["p"] == pytest.approx(1.0)
    assert votes([{"p": -math.inf}, {"p": 3.0}, {}], ["p"]) == [1.5, 3.0, 1.5]


def test_nothing_is_trusted_unseen() -> None:
    assert trusted([]) == ()
    assert trusted(seen(ROWS[:7], COSTS[:7])) == ()
    assert trusted(seen(ROWS, COSTS)) == ("right",)


def test_a_proxy_is_dropped_where_it_falls_and_comes_back_when_it_rises() -> None:
    risen = seen(ROWS, COSTS)
    fallen = risen + seen([{"right": -1.0 - i} for i in range(6)], [-1.0 - i for i in range(6)])
    assert correlations(fallen)["right"] < 0.2
    assert "right" not in trusted(fallen)
    again = fallen + seen([{"right": 100.0 + i} for i in range(20)], [-100.0 - i for i in range(20)])
    assert "right" in trusted(again)


def test_the_vote_is_the_mean_rank() -> None:
    rows: list[Row] = [{"a": 1, "b": 30}, {"a": 2, "b": 10}, {"a": 3, "b": 20}]
    assert votes(rows, ["a", "b"]) == [2.0, 1.5, 2.5]
    assert votes([None, *rows], ["a", "b"]) == [0.0, 2.0, 1.5, 2.5]


def test_those_of_the_highest_votes_are_kept_in_their_order() -> None:
    rows: list[Row] = [{"a": v} for v in (5, 1, 8, 7, 2, 3, 9, 4)]
    assert kept(rows, ["a"], 0.25) == [2, 6]
    assert kept(rows, ["a"], 0.125) == [6]
    assert kept(rows, ["a"], 0.0) == [6], "one at least"
    assert kept(rows, ["a"], 1.0) == list(range(8))


def test_without_trust_the_first_that_could_be_measured() -> None:
    rows: list[Row | None] = [None, {"a": 1.0}, {"a": 2.0}]
    assert kept(rows, [], 0.25) == [1]
    assert kept([None, None], ["a"], 0.25) == [0]
    assert kept([None, None], [], 0.25) == [0]


def test_a_candidate_without_proxies_stays_only_where_nothing_else_is_left() -> None:
    assert kept([None, {"a": -math.inf}], ["a"], 0.5) == [1]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_none_is_kept_behind_a_dropped_one_and_scale_does_not_matter(
    values: list[float], keep: float
) -> None:
    places = kept([{"a": value} for value in values], ["a"], keep)
    assert len(places) == max(1, round(keep * len(values)))
    dropped = [value for i, value in enumerate(values) if i not in places]
    assert min(values[i] for i in places) >= max(dropped, default=-math.inf)
    assert places == kept([{"a": 2.0 * value} for value in values], ["a"], keep)


def test_so_many_are_drawn_that_two_are_kept() -> None:
    assert Screen(("snip",), 0.25).candidates == 8
    assert Screen(("snip",), 0.3).candidates == 7
    assert Screen(("snip",), 1.0).candidates == 2
