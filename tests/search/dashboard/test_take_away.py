"""What is taken from a study: all trials as CSV or JSON, and a report that needs nothing beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.dashboard.studies.columns import COLUMNS, SORTS
from search.dashboard.studies.library import Library
from search.dashboard.take_away.report import write_report
from search.errors import StudyError
from tests.search.conftest import Said
from tests.search.dashboard.kept import Page, add, begin, client
from tests.search.dashboard.test_browser import NARROW, Tab
from tests.search.dashboard.test_hostile import HOSTILE
from tests.search.dashboard.test_truth import MEAN, fill

MANY = 130  # trials: more than a page of the table


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_trial_of_the_filter_is_in_the_file_with_the_chosen_columns(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for number in range(MANY):
        add(store, "done" if number % 2 else "pruned", number / MANY, plan={"digest": f"{number:032d}"})
    web = client(tmp_path)
    answer = web.get("/study/tiny/trials.csv?outcome=done&sort=-accuracy&column=number&column=accuracy")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="tiny-trials.csv"'
    found = table(answer.text)
    assert [int(row["number"]) for row in found] == [n for n in reversed(range(MANY)) if n % 2]
    assert all(float(row["accuracy"]) == int(row["number"]) / MANY for row in found), "with all digits"
    same = web.get("/study/tiny/trials.json?outcome=done&sort=-accuracy&column=number").json()
    assert [row["number"] for row in same] == [int(row["number"]) for row in found]
    assert set(table(web.get("/study/tiny/trials.csv").text)[0]) == set(SORTS)


def test_means_and_deviations_are_columns(tmp_path: Path) -> None:
    fill(begin(tmp_path))
    rows = client(tmp_path).get("/study/tiny/trials.json?sort=number").json()
    assert [row["seeds"] for row in rows] == [2, 2, 2, 1]
    assert rows[1]["mean"] == pytest.approx(0.96) and rows[1]["accuracy"] == 0.97
    assert (rows[1]["seconds"], rows[1]["finale_seconds"]) == (2.0, 9.0)


def test_a_text_in_a_cell_is_no_formula_and_keeps_its_commas(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, "failed", None, reason='=HYPERLINK("x"), it broke\nat step 3')
    (row,) = table(client(tmp_path).get("/study/tiny/trials.csv?column=reason&column=genome").text)
    assert row["reason"] == '\'=HYPERLINK("x"), it broke\nat step 3'
    assert row["genome"].startswith("genome: tiny")


def test_counts_are_whole_numbers_whether_the_network_was_trained_or_not(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, plan={"params": 5_274}, metrics={"accuracy": 0.5, "params": 5_274.0})
    add(store, "failed", None, plan={"params": 8_858})
    found = table(client(tmp_path).get("/study/tiny/trials.csv?column=params&sort=number").text)
    assert [row["params"] for row in found] == ["5274", "8858"]


@pytest.mark.parametrize("address", ["trials.csv?column=beauty", "trials.csv?sort=beauty", "trials.json?x=1"])
def test_what_is_asked_for_wrongly_is_a_sentence(tmp_path: Path, address: str) -> None:
    begin(tmp_path)
    answer = client(tmp_path).get(f"/study/tiny/{address}")
    assert answer.status_code == 400 and ("may be" in answer.text or "is no parameter" in answer.text)
    assert client(tmp_path).get("/study/tiny/trials.exe").status_code == 404


def test_the_form_of_the_page_leads_to_the_file_of_its_filter(tmp_path: Path) -> None:
    add(begin(tmp_path))
    web = client(tmp_path)
    page = Page(web.get("/study/tiny?outcome=done&sort=-accuracy&pick=0&cost=macs").text)
    hidden = {one["name"]: one["value"] for tag, one in page.elements if tag == "input" and "type" in one}
    assert "/study/tiny/trials.csv" in page.all("form", "action") and hidden["outcome"] == "done"
    assert {"csv", "json"} <= set(page.all("button", "value"))
    assert web.get("/study/tiny/trials.csv?form=json&column=number").json() == [{"number": 0}]
    assert web.get("/study/tiny/trials.csv?form=exe").status_code == 404
    boxes = [one["value"] for tag, one in page.elements if tag == "input" and one.get("name") == "column"]
    assert set(boxes) == set(COLUMNS)


def report_of(runs: Path, to: Path) -> str:
    return write_report(Library(runs), "tiny", to).read_text(encoding="utf-8")


def test_a_report_has_headline_tables_charts_and_pictures(tmp_path: Path) -> None:
    store = begin(tmp_path)
    fill(store)
    add(store, "refused", None, kind="params", reason="it has 501,000 params, over 500,000")
    text = report_of(tmp_path, tmp_path / "r.html")
    page = Page(text)
    assert MEAN in page.text and "highest single score 0.9950, trial 0" in page.text
    assert "it has 501,000 params, over 500,000" in page.text
    assert text.count('<svg class="chart"') >= 2 and 'class="genome"' in text
    assert "genome: tiny" in page.text and "of the search" in page.text
    assert not page.all("script", "src") and "<script" not in text
    assert all(link.startswith("#") for link in page.all("a", "href") + page.all("use", "href"))
    assert not page.all("link", "href") and not page.all("img", "src")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_study_holds_is_text_in_its_report(tmp_path: Path, text: str) -> None:
    store = begin(tmp_path)
    add(store, text=text, origin={"by": text, "moves": [text]})
    add(store, "failed", None, kind=text, reason=text)
    written = report_of(tmp_path, tmp_path / "r.html")
    names = {tag for tag, _ in Page(written).elements}
    assert not names & {"script", "iframe", "object", "embed", "base", "b", "img"}
    assert not any(name.startswith("on") for _, attrs in Page(written).elements for name in attrs)


def test_a_report_of_a_study_without_trials(tmp_path: Path) -> None:
    begin(tmp_path)
    assert "No trial is finished yet." in report_of(tmp_path, tmp_path / "r.html")


def test_a_report_opens_without_a_server_and_asks_for_nothing(tab: Tab, tmp_path: Path) -> None:
    fill(begin(tmp_path))
    write_report(Library(tmp_path), "tiny", tmp_path / "r.html")
    page: Any = tab(viewport=NARROW)
    asked = list[str]()
    page.context.on("request", lambda one: asked.append(one.url))
    page.set_content((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.locator("h1").text_content() == "tiny" and asked == []
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.locator("svg.chart").first.bounding_box()["width"] <= NARROW["width"]
    page.context.set_offline(True)
    background = page.evaluate("getComputedStyle(document.querySelector('.done')).color")
    assert background != "rgb(31, 35, 40)", "the style is in the file"


def test_a_report_is_written_by_the_command(tmp_path: Path, command: Callable[..., Said]) -> None:
    fill(begin(tmp_path))
    to = tmp_path / "r.html"
    said = command("report", "tiny", "--runs", tmp_path, "--to", to)
    assert said.status == 0 and str(to) in said.out and MEAN in to.read_text(encoding="utf-8")


def test_a_report_of_an_unknown_study_ends_with_status_2(
    tmp_path: Path, command: Callable[..., Said]
) -> None:
    said = command("report", "none", "--to", tmp_path / "r.html")
    assert said.status == 2 and "there is no study none" in said.err and len(said.err.splitlines()) == 1


def test_a_report_of_nothing_and_into_nowhere_is_a_sentence(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(StudyError, match="there is no study none; name a study"):
        write_report(Library(tmp_path), "none", tmp_path / "r.html")
    with pytest.raises(StudyError, match="cannot be written"):
        write_report(Library(tmp_path), "tiny", tmp_path / "tiny" / "study.db" / "r.html")
