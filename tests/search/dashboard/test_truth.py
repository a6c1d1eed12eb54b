"""What the pages call best: a mean over seeds wherever there is one; a single score is called one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from search.dashboard.studies.library import Library
from search.dashboard.take_away.report import report
from search.storage.seed_results import SeedResult
from search.storage.study import Store
from tests.search.conftest import Said
from tests.search.dashboard.kept import Page, add, begin, client

LUCKY, STEADY, SMALL, ONCE = 0, 1, 2, 3  # trials
MEAN = "0.9600 ± 0.0141 (2 seeds)"


def fill(store: Store) -> None:
    """Add four networks: the finale found that the best single score was luck."""
    found = ((0.995, 9_000), (0.97, 8_000), (0.9, 500), (0.94, 400))
    for number, (accuracy, params) in enumerate(found):
        plan = {"params": params, "macs": 10 * params, "digest": str(number) * 32}
        add(
            store,
            accuracy=accuracy,
            plan=plan,
            planned_epochs=3,
            epochs=3,
            seconds=2.0,
            metrics={"loss": 0.5},
        )
    reached = {LUCKY: (0.85, 0.86), STEADY: (0.95, 0.97), SMALL: (0.88, 0.89)}
    for number, accuracies in reached.items():
        for seed, accuracy in enumerate(accuracies, start=1):
            result = SeedResult("done", 5, 4.5, accuracy=accuracy, loss=0.5)
            store.store_seed(number, seed, result)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a finale; the tests only read it."""
    folder = tmp_path_factory.mktemp("truth")
    fill(begin(folder))
    return folder


@pytest.fixture(scope="module")
def web(runs: Path) -> TestClient:
    return client(runs)


def test_the_headline_and_the_list_of_studies_have_the_mean(web: TestClient) -> None:
    for address in ("/", "/study/tiny"):
        text = Page(web.get(address).text).text
        assert f"accuracy {MEAN}" in text, address
    best = web.get("/study/tiny.json").json()["best"]
    assert (best["number"], best["accuracy"], best["score"]["seeds"]) == (STEADY, pytest.approx(0.96), 2)
    assert "highest single score 0.9950, trial 0" in text


def test_the_front_has_means_and_calls_a_single_score_one(web: TestClient) -> None:
    page = Page(web.get("/study/tiny/part/best").text)
    assert MEAN in page.text and "0.9400 (one score)" in page.text
    twin = web.get("/study/tiny.json").json()
    assert [row["number"] for row in twin["front"]["rows"]] == [STEADY, LUCKY, ONCE]


def test_the_best_within_a_limit_goes_by_the_mean_and_names_a_single_score_above_it(web: TestClient) -> None:
    text = Page(web.get("/study/tiny/part/best?at_most=10k").text).text
    assert f"trial 1, accuracy {MEAN}" in text and "A single score" not in text.partition("macs.")[2][:15]
    text = Page(web.get("/study/tiny/part/best?at_most=500").text).text
    assert "trial 2, accuracy 0.8850 ± 0.0071 (2 seeds)" in text
    assert "A single score is higher: trial 3, accuracy 0.9400 (one score)" in text


def test_every_page_calls_best_the_smallest_that_cannot_be_told_from_the_best_mean(
    tmp_path: Path, command: Callable[..., Said]
) -> None:
    store = begin(tmp_path, objectives="accuracy")
    for number, (accuracy, params) in enumerate(((0.97, 8_000), (0.95, 500))):
        plan = {"params": params, "digest": str(number) * 32}
        add(store, accuracy=accuracy, plan=plan, epochs=1, planned_epochs=1)
        for seed, reached in enumerate(((0.98, 0.92), (0.95, 0.95))[number], start=1):
            store.store_seed(number, seed, SeedResult("done", 1, accuracy=reached, loss=0.5))
    web = client(tmp_path)
    assert web.get("/study/tiny.json").json()["best"]["number"] == 1
    said = (
        "of 2 networks within one standard error of the best mean, trial 1 is the smallest: accuracy 0.9500"
    )
    assert said in Page(web.get("/study/tiny").text).text
    assert said in report(Library(tmp_path).snapshot("tiny"))
    assert "trial 1, accuracy 0.9500" in Page(web.get("/study/tiny/part/best?at_most=10k").text).text
    printed = command("best", "tiny", "--runs", str(tmp_path)).out
    assert said in printed and "\n    1  0.9500" in printed


def test_a_comparison_marks_the_best_mean_and_no_single_score(web: TestClient) -> None:
    rows = {
        one["name"]: one
        for one in web.get("/study/tiny/compare.json?trial=0&trial=1&trial=3").json()["costs"]
    }
    over = rows["accuracy over seeds"]
    assert over["values"] == ["0.8550 ± 0.0071 (2 seeds)", MEAN, "0.9400 (one score)"]
    assert over["best"] == [False, True, False]
    assert rows["accuracy in the search (one score)"]["best"] == [False] * 3
    assert "0.9950" in Page(web.get("/study/tiny/compare?trial=0&trial=1").text).text


def test_the_chart_has_a_retrained_network_at_its_mean_with_its_spread(web: TestClient) -> None:
    plot = web.get("/study/tiny/plot/against.json?cost=params").json()
    by_name: dict[str, Any] = {one["name"]: one for one in plot["series"]}
    retrained = by_name["retrained"]
    assert dict(zip(retrained["trials"], retrained["y"], strict=True)) == {
        LUCKY: pytest.approx(0.855),
        STEADY: pytest.approx(0.96),
        SMALL: pytest.approx(0.885),
    }
    assert retrained["deviations"] == pytest.approx([0.0071, 0.0141, 0.0071], abs=1e-4)
    assert by_name["best: trial 1"]["trials"] == [STEADY] and by_name["done"]["trials"] == [ONCE]
    progress = web.get("/study/tiny/plot/progress.json").json()
    assert {"best single accuracy", "best mean accuracy over seeds, ± its deviation"} == {
        one["name"] for one in progress["series"]
    }
    assert "over 2 seeds the best is trial 1" in progress["note"]


def test_seconds_are_those_of_the_search_and_the_finale_is_told_apart(web: TestClient) -> None:
    row = web.get("/study/tiny.json").json()["front"]["rows"][0]
    assert (row["seconds"], row["finale_seconds"]) == (2.0, 9.0)
    assert "2.0 s + 9.0 s finale" in Page(web.get("/study/tiny").text).text
    assert "2.0 s in the search, 9.0 s in the finale" in Page(web.get("/study/tiny/trial/1").text).text


def test_the_page_of_a_trial_has_a_row_for_each_seed_and_its_curve(tmp_path: Path) -> None:
    store = begin(tmp_path)
    fill(store)
    folder = store.seed_folder(STEADY, 2)
    folder.mkdir(parents=True)
    curve = [
        {"epoch": i, "valid_accuracy": 0.3 * i, "valid_loss": 1 / i, "train_loss": 2 / i} for i in (1, 2, 3)
    ]
    report = {"number": STEADY, "digest": str(STEADY) * 32, "curve": curve, "best_epoch": 3}
    (folder / "report.json").write_text(json.dumps(report))
    web = client(tmp_path)
    twin = web.get(f"/study/tiny/trial/{STEADY}.json").json()
    assert [(one["seed"], one["accuracy"]) for one in twin["seeds"]] == [(None, 0.97), (1, 0.95), (2, 0.97)]
    assert [row["epoch"] for row in twin["seeds"][2]["curve"]] == [1, 2, 3]
    text = Page(web.get(f"/study/tiny/trial/{STEADY}").text).text
    assert f"accuracy {MEAN}" in text and "0.9700 in the search, one score" in text


def test_test_accuracy_stands_on_the_page_of_the_exported_network_alone(tmp_path: Path) -> None:
    store = begin(tmp_path)
    fill(store)
    best = tmp_path / "tiny" / "best"
    best.mkdir()
    info = {
        "export": 1,
        "trial": STEADY,
        "digest": str(STEADY) * 32,
        "images": {"test": 4, "valid": 9},
        "accuracy": {"test": 0.75, "valid": 0.97},
        "loss": {"test": 0.8},
        "training": {"seed": 1738052311},
        "confusion": {"test": [[1, 1], [0, 2]]},
    }
    (best / "report.json").write_text(json.dumps(info))
    web = client(tmp_path)
    text = Page(web.get(f"/study/tiny/trial/{STEADY}").text).text
    assert "accuracy 0.7500" in text.partition("Test images")[2] and "seed 1738052311" in text
    assert "Test images" not in Page(web.get(f"/study/tiny/trial/{LUCKY}").text).text
    assert "accuracy 0.7500 of the exported network, trial 1" in Page(web.get("/study/tiny").text).text
    info["accuracy"] = {"test": "<b>"}
    (best / "report.json").write_text(json.dumps(info))
    assert "Test images" not in Page(web.get(f"/study/tiny/trial/{STEADY}").text).text
