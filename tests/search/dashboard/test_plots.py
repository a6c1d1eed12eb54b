"""Plots: they show the numbers of the trials, and thousands of points are reduced to few."""

from __future__ import annotations

import itertools
import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.dashboard.plots.curve_plot import smoothed
from search.dashboard.plots.plot import ACROSS, MOST_CORNERS, MOST_DRAWN, UP, score_scale, sparse, thinned
from search.dashboard.studies.points import TrialPoint
from search.objective import Objective
from search.pareto import hypervolume
from search.results.axis import axis, ticks
from search.storage.study import claim
from tests.search.dashboard import test_truth as truth
from tests.search.dashboard.kept import add, begin, client

points = st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1), st.booleans()), max_size=50)


@given(points, st.booleans())
def test_a_thinned_cloud_has_its_front_and_its_ends(
    given: list[tuple[float, float, bool]], log: bool
) -> None:
    made = [TrialPoint(x, y, i, "done", first) for i, (x, y, first) in enumerate(given)]
    kept = thinned(made, log)
    assert set(kept) <= set(made) and {p for p in made if p.is_front} <= set(kept)
    assert len({p.number for p in kept}) == len(kept)
    if made:
        assert {p.outcome for p in kept} == {"done"}


def test_thousands_of_points_become_few_and_none_that_matters_is_lost() -> None:
    made = [TrialPoint(1 + i % 97, i * 0.61803 % 1, i, "done") for i in range(20_000)]
    kept = {3, 5, 7}
    few = thinned(made, False, kept)
    assert len(few) <= ACROSS * UP + len(kept) and kept <= {p.number for p in few}


def test_some_thousand_points_are_all_drawn() -> None:
    made = [TrialPoint(1.0, 0.5, i, "done") for i in range(MOST_DRAWN)]
    assert thinned(made, False) == made


@pytest.mark.parametrize(
    ("values", "asked", "kind"),
    [
        ([0.2, 0.95], "", "error"),
        ([0.2, 0.5], "", "number"),
        ([0.2, 0.5], "error", "error"),
        ([0.2, 0.95], "linear", "number"),
        ([1.0], "error", "number"),  # no error can be told
        ([], "", "number"),
    ],
)
def test_the_scale_of_a_score_suits_its_values(values: list[float], asked: str, kind: str) -> None:
    scale = score_scale(Objective("accuracy", "maximize"), values, asked)
    assert scale.kind == kind and (scale.floor > 0) == (kind == "error")
    assert score_scale(Objective("loss", "minimize"), [0.01, 5.0]).kind == "log"


@given(st.integers(0, 5_000))
def test_a_line_of_many_corners_keeps_its_ends(count: int) -> None:
    made = [(float(i), float(i)) for i in range(count)]
    kept = sparse(made)
    assert len(kept) <= MOST_CORNERS + 1 and kept[:1] == made[:1] and kept[-1:] == made[-1:]
    assert kept == sorted(set(kept))


def plot(folder: Path, address: str) -> dict[str, Any]:
    answer = client(folder).get(f"/study/tiny/plot/{address}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_accuracy_against_each_cost(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for i, (accuracy, params) in enumerate(((0.5, 10), (0.6, 30), (0.55, 40), (0.7, 5_000))):
        add(
            store,
            accuracy=accuracy,
            plan={"params": params, "macs": 100 - i, "digest": str(i)},
            seconds=float(i + 1),
        )
    add(store, "pruned", None, metrics={"accuracy": 0.99}, plan={"params": 1, "digest": "p"})
    add(store, accuracy=0.5, reused=0, plan={"digest": "0"})
    add(store, "failed", None)

    def front(cost: str) -> list[int]:
        found = plot(tmp_path, f"against.json?cost={cost}")
        assert found["x"]["name"] == cost and found["href"] == "/study/tiny"
        drawn: dict[str, list[int]] = {one["name"]: one["trials"] for one in found["series"]}
        assert sum(len(drawn[name]) for name in ("done", "pruned")) == 5
        assert drawn["best: trial 3"] == [3]
        return drawn["the front of the chart"]

    assert front("params") == [0, 1, 3] and front("macs") == [3] and front("seconds") == [0, 1, 3]
    by_word = {one["name"]: one for one in plot(tmp_path, "against.json?cost=params")["series"]}
    assert by_word["pruned"]["x"] == [1] and by_word["pruned"]["symbol"] != by_word["done"]["symbol"]
    assert plot(tmp_path, "against.json?cost=params")["x"]["kind"] == "log"


def test_the_course_of_a_search(tmp_path: Path) -> None:
    store = begin(tmp_path, trials=None, budget={"device_time": 600})
    began = datetime(2026, 11, 22, 12)
    for i, accuracy in enumerate((0.5, 0.4, 0.8)):
        number = add(store, accuracy=accuracy, seconds=60.0)
        moved = began + timedelta(minutes=i)
        _date(store.study, number, moved, moved + timedelta(minutes=1))
    progress, budget = plot(tmp_path, "progress.json"), plot(tmp_path, "budget.json")
    (line,) = progress["series"]
    assert line["x"] == [1.0, 3.0, 3.0] and line["y"] == [0.5, 0.8, 0.8] and line["trials"] == [0, 2, 2]
    (spent,) = budget["series"]
    assert spent["y"] == [0.0, 1.0, 2.0, 3.0, 3.0] and spent["x"][0] == "2026-11-22 12:00:00"
    assert budget["level"] == ["budget, 10m 00s", 10.0] and "7m 00s left" in budget["note"]


def test_curves_of_the_best_and_of_what_runs(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for i in range(7):
        add(store, accuracy=0.5 + i / 100, plan={"digest": str(i)})
    trial = store.study.ask()
    trial.set_user_attr("rungs", {"1": 0.3, "3": 0.4})
    trial.set_user_attr("curve", {"1": 0.3, "2": 0.35})
    folder = store.trial_folder(6)
    folder.mkdir(parents=True)
    rows: list[Any] = [{"epoch": 1, "valid_accuracy": 0.2}, "<b>", {"epoch": "<b>", "valid_accuracy": 1e400}]
    report = {"number": 6, "digest": "6", "curve": [*rows, {"epoch": 2, "valid_accuracy": 0.56}]}
    (folder / "report.json").write_text(json.dumps(report))
    with claim("tiny", tmp_path, None):
        found = plot(tmp_path, "curves.json")
    assert [(one["name"], one["x"], one["y"]) for one in found["series"]] == [
        ("trial 7, running", [1.0, 2.0, 3.0], [0.3, 0.35, 0.4]),
        ("trial 6", [1.0, 2.0], [0.2, 0.56]),
    ]


def test_values_that_older_reports_lack_are_told(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for i in range(2):
        add(store, accuracy=0.5 + i / 10, plan={"digest": str(i)})
        folder = store.trial_folder(i)
        folder.mkdir(parents=True)
        rate = [{"learning_rate": 0.1 / epoch} for epoch in (1, 2)] if i else [{}, {}]
        rows = [
            {"epoch": epoch, "images_per_second": 100.0 * epoch, **more}
            for epoch, more in enumerate(rate, start=1)
        ]
        (folder / "report.json").write_text(json.dumps({"number": i, "digest": str(i), "curve": rows}))
    found = plot(tmp_path, "curves.json?curve=learning_rate")
    assert [(one["name"], one["y"]) for one in found["series"]] == [("trial 1", [0.1, 0.05])]
    assert "not in the reports on this machine, stored since version 0.2: trial 0" in found["note"]
    assert found["y"]["name"] == "learning rate" and found["x"]["name"] == "epoch"
    speed = plot(tmp_path, "curves.json?curve=images_per_second")
    assert [one["y"] for one in speed["series"]] == [[100.0, 200.0]] * 2 and "not in" not in speed["note"]
    none = plot(tmp_path, "curves.json?curve=learning_rate&pick=0")
    assert none["series"] == [] and none["note"].endswith("trial 0")


def test_a_smoothed_curve_has_the_raw_one_behind_it(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, accuracy=0.5, plan={"digest": "0"})
    folder = store.trial_folder(0)
    folder.mkdir(parents=True)
    rows = [{"epoch": i, "valid_accuracy": value} for i, value in enumerate((0.0, 1.0, 1.0), start=1)]
    (folder / "report.json").write_text(json.dumps({"number": 0, "digest": "0", "curve": rows}))
    raw, line = plot(tmp_path, "curves.json?smooth=0.6")["series"]
    assert raw["is_pale"] and raw["y"] == [0.0, 1.0, 1.0] and not raw["trials"]
    # the weights are 0.4 * 0.6**k, divided by their sum
    assert line["y"] == pytest.approx([0.0, 0.4 / 0.64, 0.64 / 0.784]) and not line["is_pale"]


@given(st.lists(st.floats(-1e6, 1e6), max_size=20), st.sampled_from([0.6, 0.9]))
def test_a_smoothed_line_stays_between_its_values(values: list[float], weight: float) -> None:
    made = smoothed(values, weight)
    assert made[:1] == pytest.approx(values[:1])
    for end, value in enumerate(made, start=1):
        assert min(values[:end]) - 1e-3 <= value <= max(values[:end]) + 1e-3


def test_all_trials_in_their_order_with_their_outcome(tmp_path: Path) -> None:
    store = begin(tmp_path)
    began = datetime(2026, 11, 22, 12)
    for accuracy in (0.5, 0.4, 0.8):
        add(store, accuracy=accuracy)
    add(store, "pruned", None, metrics={"accuracy": 0.3})
    add(store, "failed", None)
    add(store, "refused", None)
    for number in range(6):  # the last ended first
        _date(store.study, number, began, began + timedelta(minutes=10 - number))
    running = store.study.ask()
    running.set_user_attr("curve", {"1": 0.3, "2": 0.45})
    with claim("tiny", tmp_path, None):
        found = plot(tmp_path, "history.json")
    drawn = {one["name"]: one for one in found["series"]}
    assert drawn["done"]["x"] == [0, 1, 2] and drawn["done"]["y"] == [0.5, 0.4, 0.8]
    assert (drawn["pruned"]["x"], drawn["pruned"]["y"]) == ([3], [0.3])
    assert (drawn["running"]["x"], drawn["running"]["y"]) == ([6], [0.45]), "what it has reached so far"
    for word, number in (("failed", 4), ("refused", 5)):
        assert (drawn[word]["x"], drawn[word]["y"]) == ([number], [0.3]), "at the worst score"
    assert "2 trials without a score at the edge" in found["note"]
    assert len({one["symbol"] for one in drawn.values() if one["kind"] == "points"}) == 5
    best = drawn["best single accuracy so far"]
    assert (best["x"], best["y"]) == ([0, 2, 6], [0.5, 0.8, 0.8])
    later = {one["name"]: one for one in plot(tmp_path, "history.json?over=time")["series"]}
    assert later["done"]["x"] == [f"2026-11-22 12:{minute}:00" for minute in ("10", "09", "08")]
    assert later["best single accuracy so far"]["y"] == [0.8, 0.8] and "running" not in later


def test_the_volume_that_the_front_dominates_only_grows(tmp_path: Path) -> None:
    store = begin(tmp_path)
    began = datetime(2026, 11, 22, 12)
    values = ((0.5, 1000), (0.4, 2000), (0.6, 100), (0.9, 400), (0.6, 100))
    for number, (accuracy, macs) in enumerate(values):
        add(store, accuracy=accuracy, plan={"macs": macs, "digest": str(number)}, seconds=2.0)
        _date(store.study, number, began, began + timedelta(minutes=number))
    found = plot(tmp_path, "volume.json")
    (line,) = found["series"]
    # the second network is beaten, the last one equals the third
    assert line["x"] == [2.0, 6.0, 8.0, 10.0] and line["y"] == sorted(line["y"])
    log = math.log(2000 / 100)
    corners = [(0.3 / 0.5, 0.0), (0.0, math.log(4) / log)]  # errors and costs from the best to the worst
    wide = (1.01 - corners[0][0]) * 1.01
    more = (corners[0][0] - corners[1][0]) * (1.01 - corners[1][1])
    assert line["y"][-1] == pytest.approx((wide + more) / 1.01**2)
    assert "accuracy, log macs" in found["note"]


def test_one_objective_has_no_volume(tmp_path: Path) -> None:
    store = begin(tmp_path, objectives="accuracy")
    for _ in range(3):
        add(store)
    assert client(tmp_path).get("/study/tiny/plot/volume.json").json() is None


@given(st.integers(1, 4), st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_hypervolume_is_the_volume_of_the_union(costs: int, count: int, rng: Any) -> None:
    """By inclusion and exclusion of the boxes."""
    points = np.array(
        [[rng.choice([0.0, 0.25, 0.5, 0.8, 1.0, 1.5]) for _ in range(costs)] for _ in range(count)]
    )
    points, reference = points.reshape(count, costs), np.ones(costs)
    wanted = 0.0
    for size in range(1, count + 1):
        for chosen in itertools.combinations(points, size):
            corner = np.maximum.reduce(chosen)
            wanted -= (-1) ** size * float(np.prod(np.maximum(reference - corner, 0.0)))
    assert hypervolume(points, reference) == pytest.approx(wanted, abs=1e-9)


def test_the_best_mean_so_far_has_a_band_of_its_seeds(tmp_path: Path) -> None:
    truth.fill(begin(tmp_path))
    single, mean = plot(tmp_path, "progress.json")["series"]
    assert single["name"] == "best single accuracy" and single["y"][-1] == 0.995
    assert mean["name"].startswith("best mean accuracy over seeds") and mean["kind"] == "steps"
    # the network of the luckiest score came first, and another one is better in the mean
    assert mean["y"] == pytest.approx([0.855, 0.96, 0.96]) and mean["trials"] == [0, 1, 1]
    assert mean["deviations"][-1] == pytest.approx(0.01414, abs=1e-5)


def test_the_axis_of_epochs_has_whole_ticks() -> None:
    assert ticks(axis("epoch", [1.0, 3.0])) == [1.0, 2.0, 3.0]
    assert ticks(axis("seconds", [1.0, 3.0])) != [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["against", "progress", "budget", "curves", "history", "volume"])
def test_a_study_without_trials_has_no_plots(tmp_path: Path, name: str) -> None:
    begin(tmp_path)
    assert client(tmp_path).get(f"/study/tiny/plot/{name}.json").json() is None


def _date(study: optuna.Study, number: int, began: datetime, ended: datetime) -> None:
    """Give a stored trial the moments at which it began and ended."""
    backend = study._storage._backend  # type: ignore[attr-defined]
    with backend.engine.begin() as connection:
        from sqlalchemy import text

        connection.execute(
            text("update trials set datetime_start = :b, datetime_complete = :e where number = :n"),
            {"b": began, "e": ended, "n": number},
        )


def test_curves_of_losses_by_device_seconds_and_of_picked_trials(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for number in range(7):
        add(store, accuracy=0.5 + number / 100, plan={"digest": str(number)})
        folder = store.trial_folder(number)
        folder.mkdir(parents=True)
        curve = [
            {
                "epoch": i,
                "valid_accuracy": 0.1 * i,
                "train_loss": 4.0 / i,
                "valid_loss": 2.0 / i,
                "seconds": 3.0 * i,
            }
            for i in (1, 2)
        ]
        (folder / "report.json").write_text(
            json.dumps({"number": number, "digest": str(number), "curve": curve})
        )
    trial = store.study.ask()
    trial.set_user_attr("curve", {"1": 0.3})
    trial.set_user_attr("losses", {"1": [1.5, None], "2": [1.25, 0.75]})
    found = plot(tmp_path, "curves.json?curve=train_loss&by=seconds&pick=2,99")
    assert [(one["name"], one["x"], one["y"]) for one in found["series"]] == [
        ("trial 2", [3.0, 6.0], [4.0, 2.0])
    ]
    assert found["x"]["name"] == "device seconds" and found["title"] == "learning curves of the 1 picked"
    with claim("tiny", tmp_path, None):
        found = plot(tmp_path, "curves.json?curve=valid_loss")
    assert found["series"][0]["name"] == "trial 7, running" and found["series"][0]["y"] == [0.75]
    assert len(found["series"]) == 6 and found["series"][1]["y"] == [2.0, 1.0]
    assert client(tmp_path).get("/study/tiny/plot/curves.json?curve=beauty").status_code == 400
