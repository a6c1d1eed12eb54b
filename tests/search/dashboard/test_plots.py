"""Plots: they show the numbers of the trials, and thousands of points are reduced to few."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.dashboard.plots.plot import ACROSS, MOST_CORNERS, MOST_DRAWN, UP, score_scale, sparse, thinned
from search.dashboard.studies.points import TrialPoint
from search.objective import Objective
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
        return drawn["the Pareto front"]

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
    found = plot(tmp_path, "curves.json")
    assert [(one["name"], one["x"], one["y"]) for one in found["series"]] == [
        ("trial 7, running", [1.0, 2.0, 3.0], [0.3, 0.35, 0.4]),
        ("trial 6", [1.0, 2.0], [0.2, 0.56]),
    ]


@pytest.mark.parametrize("name", ["against", "progress", "budget", "curves"])
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
    found = plot(tmp_path, "curves.json?curve=valid_loss")
    assert found["series"][0]["name"] == "trial 7, running" and found["series"][0]["y"] == [0.75]
    assert len(found["series"]) == 6 and found["series"][1]["y"] == [2.0, 1.0]
    assert client(tmp_path).get("/study/tiny/plot/curves.json?curve=beauty").status_code == 400
