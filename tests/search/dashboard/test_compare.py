"""Trials compared with each other: costs, curves, and the differences of texts and graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import genome
from search.dashboard.genomes.graph_diff import PartChange, graph_diff
from search.dashboard.genomes.text_diff import AROUND, text_diff
from tests.search.dashboard.kept import Page, add, begin, client, text_of
from tests.search.dashboard.test_hostile import HOSTILE

HEAD = "genome: g\ninput: [1, 8, 8]\nclasses: 10\nnodes:\n"
OLD = HEAD + (
    "  stem: {op: conv, in: [image], kernel: 3, width: 4}\n"
    "  body: {op: conv, in: [stem], kernel: 3, width: 4}\n"
    "  gone: {op: pool, in: [body]}\n"
    "  out: {op: exit, in: [gone]}\n"
)
NEW = HEAD + (
    "  stem: {op: conv, in: [image], kernel: 5, width: 4}\n"
    "  body: {op: separable, in: [stem], kernel: 3, width: 4}\n"
    "  come: {op: conv, in: [body], width: 8}\n"
    "  out: {op: exit, in: [come]}\n"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with four trials; the tests only read it."""
    folder = tmp_path_factory.mktemp("compared")
    store = begin(folder)
    old, new = (genome.dump(genome.loads(text)) for text in (OLD, NEW))
    add(store, accuracy=0.5, text=old, plan={"params": 100, "macs": 500})
    add(
        store,
        accuracy=0.75,
        text=new,
        origin={"by": "evolve", "parents": [0]},
        plan={"params": 300, "macs": 500},
    )
    add(store, accuracy=0.75, text=text_of())
    add(store, "failed", None, text="<b>no genome</b>")
    return folder


def rows(twin: dict[str, Any]) -> dict[str, tuple[list[Any], list[bool]]]:
    return {row["name"]: (row["values"], row["best"]) for row in twin["costs"]}


def test_costs_have_the_best_of_each_row_marked(runs: Path) -> None:
    web = client(runs)
    found = rows(web.get("/study/tiny/compare.json?trial=0&trial=1&trial=2").json())
    assert found["accuracy"] == ([0.5, 0.75, 0.75], [False, True, True])
    assert found["params"] == ([100, 300, 100], [True, False, True])
    assert "epochs" not in found and found["macs"][0] == [500, 500, 1000]
    again = rows(web.get("/study/tiny/compare.json?trial=1&trial=0").json())
    assert again["macs"] == ([500, 500], [False, False])  # equal: no trial is the best
    assert again["accuracy"] == ([0.75, 0.5], [True, False])
    page = web.get("/study/tiny/compare?trial=0&trial=1").text
    assert page.count('aria-label="the best"') == sum(sum(best) for _, best in again.values())


def test_a_trial_that_failed_early_is_not_marked_as_the_fastest(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, seconds=3.0)
    add(store, "failed", None, seconds=0.2, plan={"digest": "a" * 32})
    add(store, seconds=2.0, plan={"digest": "b" * 32})
    found = rows(client(tmp_path).get("/study/tiny/compare.json?trial=0&trial=1&trial=2").json())
    assert found["seconds"] == ([3.0, 0.2, 2.0], [False, False, True])


def test_learning_curves_are_overlaid(tmp_path: Path) -> None:
    digests = {0: "a" * 32, 1: "b" * 32}
    store = begin(tmp_path, "two")
    for number, digest in digests.items():
        add(store, plan={"digest": digest})
        folder = tmp_path / "two" / "trials" / str(number)
        folder.mkdir(parents=True)
        curve = [{"epoch": e, "valid_accuracy": 0.1 * e + number / 20} for e in (1, 2, 3)]
        (folder / "report.json").write_text(json.dumps({"digest": digest, "number": number, "curve": curve}))
    web = client(tmp_path)
    twin = web.get("/study/two/compare.json?trial=0&trial=1").json()
    assert [[row["valid_accuracy"] for row in one["rows"]] for one in twin["curves"]] == [
        pytest.approx([0.1, 0.2, 0.3]),
        pytest.approx([0.15, 0.25, 0.35]),
    ]
    lines = Page(web.get("/study/two/compare?trial=0&trial=1").text).all("polyline", "points")
    assert len(lines) == 2 and lines[0] != lines[1]
    assert "The two genomes are equal" in web.get("/study/two/compare?trial=0&trial=1").text


def test_graphs_differ_in_words_and_in_the_picture(runs: Path) -> None:
    web = client(runs)
    (one,) = web.get("/study/tiny/compare.json?trial=0&trial=1").json()["differences"]
    graph = one["graph"]
    assert (graph["added"], graph["dropped"]) == (["come"], ["gone"])
    changed = {
        node["node"]: [(p["part"], p["before"], p["after"]) for p in node["parts"]]
        for node in graph["changed"]
    }
    assert changed["stem"] == [("kernel", "3", "5")]
    assert changed["out"] == [("in", "gone", "come")]
    assert [part for part, _, _ in changed["body"]] == ["op"]
    marks = {}
    for side, address in zip(("before", "after"), one["pictures"], strict=True):
        assert address == f"/study/tiny/compare/0-1/{side}/picture.svg"
        marks[side] = marked(web.get(address).text)
    assert marks["before"] == {"stem": "changed", "body": "changed", "gone": "dropped", "out": "changed"}
    assert marks["after"] == {"stem": "changed", "body": "changed", "come": "added", "out": "changed"}
    words = Page(web.get("/study/tiny/compare?trial=0&trial=1").text).text
    assert "+ added come" in words and "≠ stem kernel 3 → 5" in words


def marked(svg: str) -> dict[str, str]:
    """Return the mark of each box of a picture, by its name."""
    pytest.importorskip("pygraphviz")
    found = {}
    for part in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        kinds = (part.get("class") or "").split()
        mark = [word for word in kinds if word in ("added", "dropped", "changed")]
        if kinds[:1] == ["box"] and mark:
            found[next(text.text or "" for text in part if text.get("class") == "name")] = mark[0]
    return found


def test_what_is_no_node_differs_too() -> None:
    plain = genome.loads(OLD)
    other = genome.loads(OLD.replace("classes: 10", "classes: 7").replace("genome: g", "genome: h"))
    diff = graph_diff(plain, other)
    assert diff.whole == (PartChange("classes", "10", "7"),) and not diff.changed and diff
    assert not graph_diff(plain, plain.renamed("h"))


def test_a_text_differs_line_by_line_and_word_by_word() -> None:
    lines = text_diff(OLD, NEW)
    assert [(line.kind, [piece.text for piece in line.pieces if piece.differs]) for line in lines] == [
        *[("same", [])] * 4,
        ("dropped", ["3"]),
        ("added", ["5"]),
        ("dropped", ["conv"]),
        ("added", ["separable"]),
        ("dropped", []),
        ("dropped", ["gone"]),
        ("added", ["come"]),
        ("added", []),
    ]


@pytest.mark.parametrize(
    ("old", "new"), [(OLD, NEW), (NEW, OLD), (OLD, ""), ("", NEW), ("a\nb", "b\na"), ("a", "a\n\nb")]
)
def test_each_line_stands_in_the_difference_once(old: str, new: str) -> None:
    said = [(line.kind, "".join(piece.text for piece in line.pieces)) for line in text_diff(old, new)]
    assert sorted(text for kind, text in said if kind in ("same", "dropped")) == sorted(old.splitlines())
    assert sorted(text for kind, text in said if kind in ("same", "added")) == sorted(new.splitlines())
    assert text_diff(old, old) == []


def test_of_long_equal_runs_the_ends_are_shown() -> None:
    middle = [f"line {i}" for i in range(50)]
    lines = text_diff("\n".join(["a", *middle, "b"]), "\n".join(["x", *middle, "y"]))
    assert [line.kind for line in lines] == (
        ["dropped", "added", *["same"] * AROUND, "skipped", *["same"] * AROUND, "dropped", "added"]
    )
    assert lines[2 + AROUND].pieces[0].text == f"{50 - 2 * AROUND} equal lines"


def test_what_cannot_be_read_is_said_and_the_texts_still_differ(runs: Path) -> None:
    web = client(runs)
    address = "/study/tiny/compare?trial=0&trial=3"
    answer = web.get(address)
    assert answer.status_code == 200 and Page(answer.text).is_harmless()
    (one,) = web.get(address.replace("?", ".json?")).json()["differences"]
    assert one["graph"] is None and one["trouble"] and one["text"]
    drawn = web.get("/study/tiny/compare/0-3/after/picture.svg")
    assert drawn.status_code == 200 and "<b>" not in drawn.text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("trial=0&trial=1", 200),
        ("trial=0&trial=0&trial=1", 200),
        ("", 303),
        ("trial=0", 303),
        ("trial=0&trial=0", 303),
        ("trial=0&trial=1&trial=2&trial=3&trial=4", 303),
        ("trial=0&trial=x", 400),
        ("trial=0&trial=-1", 400),
        ("trial=0&trial=1&other=2", 400),
        ("trial=0&trial=99", 404),
        ("trial=0&trial=" + "9" * 40, 400),
    ],
)
def test_what_may_be_asked_for(runs: Path, asked: str, status: int) -> None:
    web = client(runs)
    for page in ("compare", "compare.json"):
        answer = web.get(f"/study/tiny/{page}?{asked}")
        is_twin = page.endswith(".json")
        assert answer.status_code == (400 if is_twin and status == 303 else status)
        assert "Error" not in answer.text and "could not be made" not in answer.text


def test_too_few_and_too_many_picks_lead_back_to_the_table_and_are_kept(runs: Path) -> None:
    web = client(runs)
    asked: tuple[tuple[tuple[int, ...], str], ...] = (((), "Pick two to four"), ((2,), "Pick one more"))
    for numbers, said in (*asked, ((0, 1, 2, 3, 4), "Picked: 0, 1, 2, 3.")):
        back = web.get("/study/tiny/compare?" + "&".join(f"trial={number}" for number in numbers))
        page = Page(web.get(back.headers["location"]).text)
        assert said in page.text
        boxes = [one for tag, one in page.elements if tag == "input" and one.get("form") == "compare"]
        assert {int(one["value"] or 0) for one in boxes if "checked" in one} == set(numbers) & {0, 1, 2, 3}


@pytest.mark.parametrize(
    "path", ["0-1/side", "0-x/before", "0/before", "..-1/before", "0-99/after", "0-1-2/after"]
)
def test_a_picture_of_nothing_is_no_page(runs: Path, path: str) -> None:
    assert client(runs).get(f"/study/tiny/compare/{path}/picture.svg").status_code == 404


@pytest.mark.parametrize("text", HOSTILE)
def test_what_genomes_hold_is_shown_as_it_is(tmp_path: Path, text: str) -> None:
    store = begin(tmp_path)
    add(store, text=text, origin={"by": text})
    add(store, text=text + "\n" + text[::-1])
    add(store, text=text_of(name="tiny").replace("genome: tiny", f"genome: {json.dumps(text)}"))
    answer = client(tmp_path).get("/study/tiny/compare?trial=0&trial=1&trial=2")
    assert answer.status_code == 200 and Page(answer.text).is_harmless()


def test_it_is_reached_from_the_table_and_from_a_trial(runs: Path) -> None:
    web = client(runs)
    table = Page(web.get("/study/tiny").text)
    boxes = [attrs for tag, attrs in table.elements if tag == "input" and attrs.get("form") == "compare"]
    assert [(box["type"], box["name"], box["value"]) for box in boxes] == [
        ("checkbox", "trial", str(number)) for number in (3, 2, 1, 0)
    ]
    assert "/study/tiny/compare" in table.all("form", "action")
    links = Page(web.get("/study/tiny/trial/1").text).all("a", "href")
    assert "/study/tiny/compare?trial=0&trial=1" in links
    assert web.get("/study/tiny/compare?trial=0&trial=1").status_code == 200
