"""What a network gets right and wrong, on the pages of its trial and its study, and in the report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from search.dashboard.plots.reliability_chart import reliability_chart
from search.dashboard.studies.library import Library
from search.dashboard.take_away.report import write_report
from search.results.evaluation.evaluation import Evaluation
from search.results.evaluation.file import EVALUATION_FILE, to_json
from search.storage.study import Store
from search.storage.trial_files import REPORT_FILE
from tests.search.dashboard.evaluated import CLASSES, keep_evaluation
from tests.search.dashboard.kept import Page, add, begin, client
from trainer import files

DIGEST = "7" * 32
PAGE = "/study/tiny/trial/0"
REPORT = {"number": 0, "digest": DIGEST, "device": "cpu"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A study of one trial without an evaluation."""
    made = begin(tmp_path)
    add(made, accuracy=0.75, plan={"digest": DIGEST})
    return made


@pytest.fixture
def found(store: Store) -> Evaluation:
    """The evaluation of the trial, which is stored."""
    return keep_evaluation(store.trial_folder(0), REPORT)


def told(store: Store, page: str = PAGE) -> Any:
    return client(store.folder.parent).get(f"{page}.json").json()


def test_the_pages_show_it(store: Store, found: Evaluation) -> None:
    web: TestClient = client(store.folder.parent)
    page, twin = Page(web.get(PAGE).text), told(store)
    assert page.is_harmless() and twin["evaluation"]["where"] == f"trials/0/{EVALUATION_FILE}"
    shown = twin["evaluation"]["found"]
    assert shown["errors"] == found.errors > 0 and shown["calibration_error"] == found.calibration_error
    assert [[cell["images"] for cell in row] for row in twin["confusion"]] == found.confusion
    assert [row["name"] for row in twin["by_class"]] == list(CLASSES)
    assert f"{found.errors} are answered wrongly" in page.text and CLASSES[2] in page.text
    assert f"{found.calibration_error:.4f}" in page.text
    assert len(page.all("img", "src")) == len(found.worst) + len(found.sheet) + 1  # and the graph
    for one, stored in zip(shown["worst"], found.worst, strict=True):
        answer = web.get(one["src"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content == stored.png and one["is_right"] == stored.is_right
    for row, of_class in zip(shown["sheet"], found.sheet, strict=True):
        assert web.get(row["src"]).content == of_class.png
    study = Page(web.get("/study/tiny").text)
    assert "trial 0, the best, gets right and wrong" in study.text and study.is_harmless()
    assert f"{found.errors} are answered wrongly" in study.text


@pytest.mark.parametrize(
    "name", ["worst-16.png", "class-3.png", "worst-0.jpg", "worst--1.png", "worst-٣.png"]
)
def test_other_pictures_are_not_found(store: Store, found: Evaluation, name: str) -> None:
    assert client(store.folder.parent).get(f"{PAGE}/evaluation/{name}").status_code == 404


def test_a_trial_without_one_says_how_to_make_it(store: Store) -> None:
    twin, page = told(store), Page(client(store.folder.parent).get(PAGE).text)
    assert twin["evaluation"] == {
        "command": "genome evaluate tiny#0",
        "where": None,
        "trouble": None,
        "found": None,
        "is_trained": True,
    }
    assert "genome evaluate tiny#0" in page.text
    assert "genome evaluate tiny#0" in Page(client(store.folder.parent).get("/study/tiny").text).text
    assert client(store.folder.parent).get(f"{PAGE}/evaluation/worst-0.png").status_code == 404


def test_a_file_that_is_not_as_it_was_written_is_not_shown(store: Store, found: Evaluation) -> None:
    file = store.trial_folder(0) / EVALUATION_FILE
    plain = json.loads(file.read_text())
    wrong = {
        "was changed since it was written": json.dumps({**plain, "accuracy": 1.0}).encode(),
        "has the answers of other weights": files.sealed({**to_json(found), "weights": "1" * 64}),
        "its format is 9": files.sealed({**to_json(found), "format": 9}),
        "stands where a share is expected": files.sealed({**to_json(found), "accuracy": 7}),
    }
    for said, content in wrong.items():
        file.write_bytes(content)
        page = Page(client(store.folder.parent).get(PAGE).text)
        assert said in page.text and "genome evaluate tiny#0" in page.text
        assert told(store)["evaluation"]["found"] is None


def test_that_of_the_export_has_its_sum_in_the_report(store: Store, found: Evaluation) -> None:
    best = store.folder / "best"
    best.mkdir()
    content = json.dumps(to_json(found)).encode()
    sums = {EVALUATION_FILE: files.sha256(content), "weights.safetensors": found.weights}
    info = {"export": 1, "trial": 0, "digest": DIGEST, "files": sums}
    (best / REPORT_FILE).write_text(json.dumps(info))
    (best / EVALUATION_FILE).write_bytes(content)
    (store.trial_folder(0) / EVALUATION_FILE).unlink()
    assert told(store)["evaluation"]["where"] == f"best/{EVALUATION_FILE}"
    assert told(store)["evaluation"]["found"]["errors"] == found.errors
    (best / EVALUATION_FILE).write_bytes(content + b" ")
    assert "was changed" in told(store)["evaluation"]["trouble"]


def test_the_report_holds_its_pictures(store: Store, found: Evaluation, tmp_path: Path) -> None:
    write_report(Library(tmp_path), "tiny", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    sources = Page(text).all("img", "src")
    assert len(sources) == len(found.worst) + len(found.sheet)
    assert all(one.startswith("data:image/png;base64,") for one in sources)
    assert "img-src data:" in text and f"{found.errors} are answered wrongly" in Page(text).text


def test_the_reliability_curve_has_a_circle_for_each_bin_that_has_answers(found: Evaluation) -> None:
    bins = [one._asdict() for one in found.reliability]
    drawn = reliability_chart(bins)
    assert drawn is not None and len(drawn.spots) == sum(one["answers"] > 0 for one in bins)
    most = max(drawn.spots, key=lambda spot: spot.radius)
    assert re.match(rf"{max(one['answers'] for one in bins)} answers", most.says)
    chart = drawn.chart
    assert all(
        chart.left <= spot.x <= chart.right and chart.top <= spot.y <= chart.bottom for spot in drawn.spots
    )
    assert reliability_chart([{"answers": 0, "confidence": 0.0, "accuracy": 0.0}]) is None
