"""The exits on the page of a trial: where they come from, and files that are not shown."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import genome
from search.dashboard.pages.exits import TrialExits, _parsed
from search.dashboard.plots.exits_chart import exits_chart
from search.storage.study import Store
from tests.search.dashboard.kept import Page, add, begin, client
from tests.search.dashboard.stopping import THREE, add_three, keep_exits
from trainer import files

PAGE = "/study/tiny/trial/0"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights and the exits.json of a network."""
    folder = tmp_path_factory.mktemp("kept")
    keep_exits(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path, kept: Path) -> Store:
    """A study whose trial 0 has exits.json."""
    made = begin(tmp_path)
    shutil.copytree(kept, made.trial_folder(add_three(made)))
    return made


@pytest.fixture
def web(tmp_path: Path, store: Store) -> TestClient:
    return client(tmp_path)


def exits_of(web: TestClient, page: str = PAGE) -> Any:
    return web.get(f"{page}.json").json()["exits"]


def test_the_page_shows_the_chosen_point_without_scripts(web: TestClient, kept: Path) -> None:
    plain = json.loads((kept / "exits.json").read_text())
    page, told = Page(web.get(PAGE).text), exits_of(web)
    assert told["where"] == "trials/0/exits.json" and told["trouble"] is None and page.is_harmless()
    assert "hidden" in next(attrs for tag, attrs in page.elements if attrs.get("id") == "exits-sliders")
    assert told["command"] == "genome exits tiny#0"
    assert "target --drop 1%" in page.text and "genome exits tiny#0 with another rule or target" in page.text
    chosen = told["found"]["points"][told["found"]["chosen"]]
    assert chosen["shares"] == plain["valid"]["shares"] and chosen["accuracy"] == plain["valid"]["accuracy"]
    for row in plain["exits"]:
        assert f"{row['name']}{row['reads'][0]}{row['params']:,}" in page.text
        assert f"{row['accuracy']:.4f}{row['leaves']:.1%}" in page.text


def test_where_there_is_none_the_command_is_said(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add_three(store)
    add(store)
    web = client(tmp_path)
    assert exits_of(web) == {"command": "genome exits tiny#0", "where": None, "trouble": None, "found": None}
    assert "genome exits tiny#0" in Page(web.get(PAGE).text).text
    assert exits_of(web, "/study/tiny/trial/1") is None, "a network of one exit"
    assert 'id="exits"' not in web.get("/study/tiny/trial/1").text


def test_a_network_that_says_several_labels_has_no_command(tmp_path: Path) -> None:
    store = begin(tmp_path, data={"path": "several.npz", "multilabel": True})
    add_three(store)
    assert exits_of(client(tmp_path)) is None, "`genome exits` refuses it"


def test_a_duplicate_shows_what_its_twin_has(web: TestClient, store: Store) -> None:
    add(store, text=genome.dump(genome.loads(THREE)), reused=0)
    assert exits_of(web, "/study/tiny/trial/1")["where"] == "trials/0/exits.json"


def rewrite(store: Store, **values: Any) -> None:
    """Change values of exits.json, and its sha256."""
    file = store.trial_folder(0) / "exits.json"
    plain = files.unsealed(file.read_bytes())
    assert plain is not None
    file.write_bytes(files.sealed({**plain, **values}))


def test_a_file_that_was_changed_is_not_shown(web: TestClient, store: Store) -> None:
    file = store.trial_folder(0) / "exits.json"
    file.write_text(file.read_text().replace('"entropy"', '"margin"', 1))
    assert exits_of(web)["trouble"] == "the file was changed since it was written (sha256)"


def test_the_newest_of_trial_and_export_is_shown(web: TestClient, store: Store, kept: Path) -> None:
    best, own = store.folder / "best", store.trial_folder(0) / "exits.json"
    best.mkdir()
    shutil.copy(kept / "weights.safetensors", best)
    content = json.dumps({**json.loads(own.read_text()), "kind": "margin"}).encode()
    (best / "exits.json").write_bytes(content)
    report = {"export": 1, "trial": 0, "digest": "3" * 32, "files": {"exits.json": files.sha256(content)}}
    (best / "report.json").write_text(json.dumps(report))
    for newer, where in ((best / "exits.json", "best/exits.json"), (own, "trials/0/exits.json")):
        os.utime(best / "exits.json", (1, 1))
        os.utime(own, (1, 1))
        os.utime(newer, (2, 2))
        told = exits_of(web)
        assert (told["where"], told["trouble"]) == (where, None)
    report["files"] = {}
    (best / "report.json").write_text(json.dumps(report))
    os.utime(best / "exits.json", (3, 3))
    assert exits_of(web)["trouble"] == "the file was changed since it was written (sha256)"


WEIGHTS = {"weights": "0" * 64}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"format": 9}, "the file has not the format 1"),
        (WEIGHTS, "the file has the thresholds of other weights"),
        ({"curve": []}, "the file does not hold what this version of `genome exits` writes"),
        ({"exits": None}, "does not hold"),
        ({"curve": [{"accuracy": 2}]}, "does not hold"),
        ({"rule": {"rule": "patience", "agree": 1}}, "does not hold"),
        ({"whole_macs": "many"}, "does not hold"),
    ],
)
def test_a_file_that_is_not_this_networks_is_not_shown(
    web: TestClient, store: Store, values: dict[str, Any], sentence: str
) -> None:
    rewrite(store, **values)
    page, told = Page(web.get(PAGE).text), exits_of(web)
    assert told["found"] is None and sentence in told["trouble"] and sentence in page.text
    assert "genome exits tiny#0" in page.text


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_not_shown(web: TestClient, store: Store, content: bytes) -> None:
    (store.trial_folder(0) / "exits.json").write_bytes(content)
    told = exits_of(web)
    assert told["found"] is None and told["trouble"].startswith("the file ")


def test_hostile_names_are_text(web: TestClient, store: Store) -> None:
    plain = json.loads((store.trial_folder(0) / "exits.json").read_text())
    plain["exits"][0]["name"] = plain["kind"] = plain["target"]["text"] = "'\"><script>alert(1)</script>"
    rewrite(store, **{key: plain[key] for key in ("exits", "kind", "target")})
    page = Page(web.get(PAGE).text)
    assert page.is_harmless() and "<script>alert(1)</script>" in page.text


def test_the_sliders_cover_the_curve(kept: Path) -> None:
    found = _parsed(json.loads((kept / "exits.json").read_text()))
    assert isinstance(found, TrialExits)
    drawn = exits_chart(found)
    assert len(drawn.steps) == len(found.points) > 2
    for name in ("drop", "macs"):
        values, slider = [getattr(one, name) for one in drawn.steps], getattr(drawn, name)
        assert (slider.low, slider.high) == (min(values), max(values)) and 0 <= slider.position <= 100
    for one in (*drawn.steps, *drawn.alone):
        assert 0 < one.x < drawn.chart.width and 0 < one.y < drawn.chart.height
