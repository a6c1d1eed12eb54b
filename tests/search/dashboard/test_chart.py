"""Charts: points are at their numbers, ticks are round and on the axis, no trial beats a point of the front."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search.dashboard.plots import svg_chart as charts
from search.dashboard.plots.svg_chart import axis, chart, ticks
from search.dashboard.studies.points import TrialPoint, front_of
from search.results.axis import error_axis

values = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(st.lists(values, min_size=1, max_size=20), st.sampled_from(["accuracy", "params", "seconds"]))
def test_ticks_are_on_the_axis_and_few(shown: list[float], name: str) -> None:
    made = axis(name, shown)
    assume(made.high - made.low > 1e-6 * max(map(abs, shown)))
    found = ticks(made)
    assert found == sorted(set(found)) and all(made.low <= at <= made.high for at in found)
    assert 1 <= len(found) <= 12


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1)), min_size=1, max_size=30))
def test_points_keep_their_order_inside_the_plot(pairs: list[tuple[float, float]]) -> None:
    drawn = chart("t", "params", "accuracy", [TrialPoint(x, y, i, "done") for i, (x, y) in enumerate(pairs)])
    assert drawn is not None
    for mark in drawn.marks:
        assert charts.LEFT <= mark.x <= drawn.right and charts.TOP <= mark.y <= drawn.bottom
    for (one, (x, y)), (other, (x2, y2)) in itertools.combinations(zip(drawn.marks, pairs, strict=True), 2):
        assert (one.x - other.x) * (x - x2) >= 0 and (one.y - other.y) * (y - y2) <= 0


points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


@given(points, st.booleans(), st.booleans())
def test_the_front_is_what_none_beats(pairs: list[tuple[int, int]], x_rises: bool, y_rises: bool) -> None:
    made = [TrialPoint(x, y, i, "done") for i, (x, y) in enumerate(pairs)]

    def costs(point: TrialPoint) -> tuple[float, float]:
        return (-point.x if x_rises else point.x), (-point.y if y_rises else point.y)

    def beats(one: TrialPoint, other: TrialPoint) -> bool:
        a, b = costs(one), costs(other)
        return a != b and a[0] <= b[0] and a[1] <= b[1]

    unbeaten = {costs(point) for point in made if not any(beats(other, point) for other in made)}
    found = front_of(made, x_rises, y_rises)
    assert {costs(point) for point in found} == unbeaten and len(found) == len(unbeaten)


def test_what_is_not_finite_is_left_out() -> None:
    made = [
        TrialPoint(1.0, math.nan, 0, "done"),
        TrialPoint(math.inf, 0.5, 1, "done"),
        TrialPoint(2.0, 0.5, 2, "done"),
    ]
    drawn = chart("t", "params", "accuracy", made)
    assert drawn is not None and [mark.number for mark in drawn.marks] == [2]
    assert chart("t", "params", "accuracy", made[:2]) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.sampled_from(["accuracy", "macro_f1"]))
def test_an_axis_of_shares_ends_at_one(shown: list[float], name: str) -> None:
    made = axis(name, shown)
    assert made.high <= 1.0 and made.low < made.high and all(0 <= made.share(value) <= 1 for value in shown)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_an_axis_of_errors_keeps_the_order_and_stretches_the_top(shown: list[float]) -> None:
    made = error_axis("accuracy", shown)
    places = [made.share(value) for value in sorted(shown)]
    assert places == sorted(places) and all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert len(ticks(made)) <= 16 and ticks(made) == sorted(set(ticks(made)))


def test_equal_steps_of_the_error_are_equally_far_apart() -> None:
    made = error_axis("accuracy", [0.5, 0.9, 0.99, 0.999])
    steps = [made.share(0.99) - made.share(0.9), made.share(0.999) - made.share(0.99)]
    assert steps[0] == pytest.approx(steps[1])
    assert 0.99 in ticks(made) and 0.9 in ticks(made)


def test_a_wide_range_of_sizes_is_logarithmic() -> None:
    assert axis("params", [100, 1e6]).is_log and not axis("params", [100, 200]).is_log
    assert axis("params", [100, 1e6]).share(1e4) == pytest.approx(0.5)
