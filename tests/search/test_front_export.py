"""`genome export --pareto`: the front as a folder of exports with an index, written as a whole."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import search
from search.results.card.chart import Spot, front_svg
from search.results.ranking import front
from search.results.refs import open_study
from tests.search.conftest import Said

SVG = "{http://www.w3.org/2000/svg}"
Export = Callable[..., Said]


@pytest.fixture
def export(finished: Path, command: Callable[..., Said]) -> Export:
    return lambda *words: command("export", "tiny", "--pareto", *words, "--runs", finished)


def content(folder: Path) -> dict[str, bytes]:
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_every_network_of_the_front_is_an_export(export: Export, finished: Path) -> None:
    said = export("--to", "mine")
    opened = open_study("tiny", finished)
    best = front(opened.store.records(), opened.config.objectives)
    assert (said.status, said.err) == (0, "") and len(best) > 1
    assert said.out == f"the front of tiny, {len(best)} networks, is in mine; begin with its README.md\n"
    index = json.loads(Path("mine/index.json").read_text())
    assert [one["trial"] for one in index["networks"]] == [record.number for record in best]
    text = Path("mine/README.md").read_text()
    for one in index["networks"]:
        _, info = search.load_export(Path("mine", one["folder"]))
        assert (info["trial"], info["accuracy"], info["macs"]) == (one["trial"], one["accuracy"], one["macs"])
        assert f"{one['accuracy']['test']:.4f}" in text and f"{one['macs']:,}" in text
    for linked in re.findall(r"\]\(([\w./-]+)\)", text):
        assert Path("mine", linked).is_file()


def test_the_picture_has_the_front_and_the_other_trials(export: Export, finished: Path) -> None:
    assert export("--to", "mine").status == 0
    records = open_study("tiny", finished).store.records()
    drawn = ET.fromstring(Path("mine/front.svg").read_text())
    marks = {kind: drawn.findall(f"{SVG}circle[@class='{kind}']") for kind in ("front", "trial")}
    chosen = json.loads(Path("mine/index.json").read_text())["networks"]
    assert len(marks["front"]) == len(chosen) and len(marks["front"]) + len(marks["trial"]) == len(records)
    told = {mark.findtext(f"{SVG}title", "").split(":")[0] for mark in marks["front"]}
    assert told == {f"trial {one['trial']}" for one in chosen}
    labels = {text.text for text in drawn.findall(f"{SVG}text")} & told
    assert labels, "a picture without a pointer names trials"
    places = {(mark.get("cx"), mark.get("cy")) for mark in marks["front"]}
    corners = corners_of(drawn)
    assert places < set(corners) and len(corners) == 2 * len(places) - 1


def corners_of(drawn: ET.Element) -> list[tuple[str, ...]]:
    return [tuple(pair.split(",")) for pair in drawn.find(f"{SVG}polyline").get("points").split()]


SPOTS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=9, unique=True)


@given(SPOTS, st.sampled_from(["minimize", "maximize"]))
def test_the_line_of_a_front_is_what_was_reached(points: list[tuple[int, int]], direction: str) -> None:
    """The steps are what is reached: at each place the best value up that costs no more (or gains no less) across."""
    turn = 1 if direction == "minimize" else -1
    front = [
        (x, y)
        for x, y in points
        if not any(a != (x, y) and turn * a[0] <= turn * x and a[1] >= y for a in points)
    ]
    spots = [Spot(float(x), float(y), "") for x, y in front]
    others = [Spot(float(x), float(y), "") for x, y in points if (x, y) not in front]
    drawn = ET.fromstring(front_svg("t", ("macs", "accuracy"), others, spots, direction))
    corners = [(float(x), float(y)) for x, y in corners_of(drawn)]
    marks = [(float(m.get("cx", "")), float(m.get("cy", ""))) for m in drawn.findall(f"{SVG}circle")]
    for (left, y), (right, after) in pairwise(corners):
        middle = (left + right) / 2
        reached = [up for x, up in marks if (x <= middle if direction == "minimize" else x >= middle)]
        assert left == right or (y == after == min(reached)), "pixels grow downwards"
    assert sorted(x for x, _ in corners) == [x for x, _ in corners]


@pytest.mark.parametrize("spots", [[Spot(1.0, 0.5, "<a>")], [Spot(0.0, 0.0, "a"), Spot(1e9, 1.0, "b")]])
def test_a_chart_of_few_points_and_of_wide_ranges(spots: list[Spot]) -> None:
    drawn = ET.fromstring(front_svg("a < b", ("macs", "accuracy"), [], spots))
    for mark in drawn.findall(f"{SVG}circle"):
        assert 0 < float(mark.get("cx", "")) < 640 and 0 < float(mark.get("cy", "")) < 360


def test_labels_that_would_cover_each_other_are_left_out() -> None:
    spots = [Spot(x, y, "", word) for x, y, word in ((1.0, 0.5, "a"), (1.01, 0.501, "b"), (9.0, 0.9, "c"))]
    drawn = ET.fromstring(front_svg("t", ("params", "accuracy"), [], spots))
    assert [one.text for one in drawn.findall(f"{SVG}text") if one.text in ("a", "b", "c")] == ["a", "c"]


def test_an_earlier_front_is_replaced_and_what_a_person_added_stays(export: Export, command: Export) -> None:
    assert export("--to", "mine", "--hub").status == 0
    first, *_ = sorted(one.name for one in Path("mine").iterdir() if one.is_dir())
    Path("mine/notes.txt").write_text("a")
    Path("mine", first, "notes.txt").write_text("b")
    Path("mine", first, "README.md").write_text("# edited")
    gone = Path("mine/trial-99")  # of a network that is no longer in the front
    shutil.copytree(Path("mine", first), gone)
    index = json.loads(Path("mine/index.json").read_text())
    index["networks"].append({"folder": "trial-99"})
    Path("mine/index.json").write_text(json.dumps(index))
    said = export("--to", "mine")
    assert said.status == 0 and not Path("mine", first, "config.json").exists()
    found = content(Path("mine"))
    assert found["notes.txt"] == b"a" and found[f"{first}/notes.txt"] == b"b"
    assert found[f"{first}/README.md.before"] == b"# edited" and found[f"{first}/README.md"] != b"# edited"
    assert sorted(one.name for one in gone.iterdir()) == ["README.md.before", "notes.txt"]
    assert not list(Path().glob(".mine*"))
    said = command("bench", "mine")
    assert (
        said.status == 2
        and said.err == f"mine has no report.json; name one network of this front, such as mine/{first}\n"
    )


def test_all_or_nothing(export: Export, finished: Path, tmp_path: Path, command: Export) -> None:
    """The last network of the front has no weights: nothing is written, and an earlier front stays."""
    shutil.copytree(finished, tmp_path / "runs")
    opened = open_study("tiny", tmp_path / "runs")
    last = front(opened.store.records(), opened.config.objectives)[-1]
    assert export("--to", "mine").status == 0
    before = content(Path("mine"))
    (opened.store.trial_folder(last.number) / "weights.safetensors").unlink()
    for to in ("mine", "new"):
        said = command("export", "tiny", "--pareto", "--to", to)
        assert said.status == 2 and f"trial {last.number} of study tiny has no weights" in said.err
    assert content(Path("mine")) == before and not Path("new").exists()
    assert not list(Path().glob(".mine*")) and not list(Path().glob(".new*"))


def test_other_folders_are_refused(export: Export, finished: Path, command: Export) -> None:
    whole = {"export": 1, "networks": []}
    for index in (
        None,
        "[",
        "[]",
        "{}",
        '{"export": 1}',
        '{"export": 1, "networks": [5]}',
        '{"networks": []}',
    ):
        shutil.rmtree("other", ignore_errors=True)
        Path("other").mkdir()
        Path("other/index.json" if index else "other/a.txt").write_text(index or "")
        said = export("--to", "other")
        assert said.status == 2 and said.err.startswith("other holds other things; "), index
    for folder in ("..", "a/b", "/etc", "trial-1\n"):
        Path("other/index.json").write_text(json.dumps({**whole, "networks": [{"folder": folder}]}))
        assert "other holds other things" in export("--to", "other").err
    Path("other/index.json").write_text(json.dumps({**whole, "export": 2}))
    assert "has format 2 of a newer version" in export("--to", "other").err
    Path("file").write_text("")
    for to in ("file", "file/inside/deep"):
        assert export("--to", to).err.startswith("file is a file; ")
    said = command("export", "tiny#0", "--pareto", "--to", "new", "--runs", finished)
    assert said.err == "--pareto exports the front of a study; write tiny without #0\n"
    said = command("export", "tiny", "--to", "other", "--runs", finished)
    assert said.err.startswith("other holds other things; ") and not Path("new").exists()


def test_a_folder_in_the_way_is_named(export: Export) -> None:
    assert export("--to", "mine").status == 0
    index = json.loads(Path("mine/index.json").read_text())
    taken = index["networks"].pop()["folder"]
    Path("mine/index.json").write_text(json.dumps(index))
    said = export("--to", "mine")
    assert said.status == 2 and said.err == f"mine/{taken} is in the way; move it elsewhere\n"
