"""The page of a trial: the picture with its links, costs, the lineage, and the downloads."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

import genome
from search.dashboard.genomes import picture as pictures
from search.dashboard.pages.class_results import MOST_ROWS, class_rows, confusion_cells
from search.dashboard.pages.downloads import CHUNK_BYTES, chunks, open_download, size_of
from search.dashboard.pages.training_report import seconds_by_part
from search.dashboard.studies.library import Library
from search.dashboard.web.guard import POLICY
from search.storage.data_facts import FACTS_ATTR
from search.storage.study import Store
from tests.search.dashboard.kept import Page, add, begin, client
from tests.search.dashboard.test_hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
MOTIFS = """
genome: motifs
input: [1, 16, 16]
classes: 10
widths: {rule: constant, base: 4}
nodes:
  stem: {op: conv, in: [image]}
  s1: {op: stack, in: [stem], depth: 2}
  c1: {op: clique, in: [s1], nodes: 3}
  out: {op: exit, in: [c1]}
"""
PAGE = "/study/tiny/trial/0"


def motifs() -> str:
    return genome.dump(genome.loads(MOTIFS))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A trial with motifs; the tests only read it."""
    folder = tmp_path_factory.mktemp("motifs")
    add(begin(folder), text=motifs())
    return client(folder)


@pytest.mark.parametrize("address", [PAGE, "/study/tiny"])
def test_a_link_within_a_page_leads_to_a_titled_section(web: TestClient, address: str) -> None:
    source = web.get(address).text
    leads = [href[1:] for href in Page(source).all("a", "href") if href.startswith("#") and len(href) > 1]
    assert {"lineage", "costs", "architecture"} <= set(leads) or {"best", "failures", "trials"} <= set(leads)
    for one in leads:
        at = source.index(f' id="{one}"')
        assert re.search(r"<h[123]", source[source.rindex("<", 0, at) :][:600]), one


def test_a_motif_unfolds_and_folds_by_links_alone(web: TestClient) -> None:
    pytest.importorskip("pygraphviz")

    def links(query: str) -> dict[str, str]:
        root = ElementTree.fromstring(web.get(f"{PAGE}/picture.svg{query}").text)
        return {a.attrib["data-node"]: a.attrib["href"] for a in root.iter(f"{SVG}a")}

    folded = links("")
    assert folded == {"s1": "?open=s1", "c1": "?open=c1"}
    open_download = links(folded["s1"])
    assert open_download.keys() == {"s1", "s1.1", "s1.2", "c1"} and open_download["s1"] == "?open="
    assert links(open_download["s1"]) == folded
    assert links(open_download["s1.1"])["s1"] == "?open="  # with all its parts


def test_the_page_shows_the_same_motifs_as_its_picture(web: TestClient) -> None:
    page, twin = Page(web.get(f"{PAGE}?open=s1").text), web.get(f"{PAGE}.json?open=s1").json()
    assert page.all("img", "src") == [f"{PAGE}/picture.svg?open=s1"] and page.is_harmless()
    assert [node["name"] for node in twin["nodes"]] == ["stem", "s1.1", "s1.2", "c1", "out"]
    folded = web.get(f"{PAGE}.json").json()["nodes"]
    for cost in ("params", "macs"):
        assert sum(n[cost] for n in twin["nodes"]) == sum(n[cost] for n in folded)


@pytest.mark.parametrize(
    "query",
    [
        "open=none",
        "open=stem",
        "open=s1.1",
        "open=s1,s1.9",
        "open=s1&open=c1",
        "open=,",
        "open=%3Cscript%3E",
        "open=../s1",
        "open=image",
        "open=s1&x=1",
        "x=1",
        "open=" + ",".join(f"a{i}" for i in range(65)),
        "open=" + "a" * 300,
    ],
)
def test_what_is_no_motif_is_one_sentence(web: TestClient, query: str) -> None:
    for address in (PAGE, f"{PAGE}.json", f"{PAGE}/picture.svg"):
        answer = web.get(f"{address}?{query}")
        assert answer.status_code == 400 and answer.headers["content-security-policy"] == POLICY
        assert len(answer.text) < 3000


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_asked_for_is_shown_as_it_is(web: TestClient, text: str) -> None:
    for address in (PAGE, f"{PAGE}/picture.svg"):
        for given in ({"open": text}, {text: "s1"}):
            answer = web.get(address, params=given)
            assert answer.status_code == 400 and Page(answer.text).is_harmless()


def test_more_than_a_picture_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_NODES", 4)
    pictures.genome_picture.cache_clear()
    add(begin(tmp_path), text=motifs())
    answer = client(tmp_path).get(f"{PAGE}/picture.svg?open=s1")
    drawn = ElementTree.fromstring(answer.text)
    assert answer.status_code == 200 and "fold some" in "".join(drawn.itertext())
    pictures.genome_picture.cache_clear()


def test_a_picture_is_drawn_once(web: TestClient) -> None:
    pytest.importorskip("pygraphviz")
    pictures.genome_picture.cache_clear()
    for query in ("", "?open=", "?open=s1,c1", "?open=c1,s1", "?open=c1,s1,s1"):
        assert web.get(f"{PAGE}/picture.svg{query}").status_code == 200
    assert pictures.genome_picture.cache_info().misses == 2


def test_the_picture_fits_the_policy_of_the_page(web: TestClient) -> None:
    """The picture's one style sheet is removed before the page includes it; the page has the same colours."""
    pytest.importorskip("pygraphviz")
    text = web.get(f"{PAGE}/picture.svg?open=s1,c1").text
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {
            *("svg", "title", "style", "rect", "text", "g", "path", "polygon", "a"),
        }
        assert not any(name == "style" or name.startswith("on") for name in element.attrib)
        assert element.attrib.get("href", "?open=").startswith("?open=")
    (sheet,) = [link for link in Page(web.get(PAGE).text).all("link", "href") if "picture.css" in link]
    assert web.get(sheet).text == root.findtext(f"{SVG}style")


def test_costs_are_shares_of_the_whole_the_longest_first(web: TestClient) -> None:
    twin = web.get(f"{PAGE}.json").json()
    params = {node["name"]: node["params"] for node in twin["nodes"]}
    first, second = twin["costs"]
    assert (first["name"], second["name"]) == ("params", "macs")
    assert [bar["value"] for bar in first["bars"]] == sorted(params.values(), reverse=True)
    assert {bar["name"]: bar["value"] for bar in first["bars"]} == params
    assert sum(bar["share"] for bar in first["bars"]) == pytest.approx(1)
    assert first["bars"][0]["length"] == 1
    page = Page(web.get(PAGE).text)
    assert page.all("rect", "width")[:4] == [f"{100 * bar['length']:.1f}" for bar in first["bars"]]


def test_many_nodes_leave_the_smallest_to_the_table(tmp_path: Path) -> None:
    add(begin(tmp_path), text=motifs().replace("depth: 2", "depth: 40"))
    twin = client(tmp_path).get(f"{PAGE}.json?open=s1").json()
    assert len(twin["nodes"]) == 43
    for cost in twin["costs"]:
        shares = sum(bar["share"] for bar in cost["bars"]) + cost["others_share"]
        assert len(cost["bars"]) + cost["others"] == 43 and shares == pytest.approx(1)


def grown(store: Store, parents: list[list[int]]) -> None:
    for i, own in enumerate(parents):
        moves = [f"move {i}"] if own else []
        add(store, accuracy=0.3 + i / 1000, origin={"by": "evolve", "parents": own, "moves": moves})


def rows(tmp_path: Path, number: int) -> tuple[dict[int, Any], dict[str, Any]]:
    tree = client(tmp_path).get(f"/study/tiny/trial/{number}.json").json()["tree"]
    return {row["number"]: row for row in tree["rows"]}, tree


def test_the_tree_has_ancestors_above_and_children_below(tmp_path: Path) -> None:
    grown(begin(tmp_path), [[], [], [0], [2, 1], [3], [3], [5], [0]])
    found, tree = rows(tmp_path, 3)
    assert [row["number"] for row in tree["rows"]] == [0, 2, 1, 3, 5, 6, 4]  # the better child first
    assert [n for n, row in found.items() if row["is_this"]] == [3]
    assert found[3]["x"] == found[2]["x"] == found[0]["x"] < found[1]["x"] == found[5]["x"]
    assert found[4]["made"] == "move 4" and found[4]["value"] == "0.3040"
    assert (
        found[6]["made"] == "move 6"
        and len(tree["lines"]) == 6
        and (tree["older"], tree["younger"]) == (0, 0)
    )
    page = Page(client(tmp_path).get("/study/tiny/trial/3").text)
    links = page.all("a", "href")
    assert all(f"/study/tiny/trial/{number}" in links for number in found)


def test_a_parent_without_a_line_of_its_own_is_named(tmp_path: Path) -> None:
    grown(begin(tmp_path), [[], [0], [1, 0]])
    found, _ = rows(tmp_path, 2)
    assert found[2]["made"] == "move 2, also from trial 0" and found[1]["made"] == "move 1"


def test_fifteen_generations_are_all_there_and_go_straight_down(tmp_path: Path) -> None:
    grown(begin(tmp_path), [[]] + [[i] for i in range(20)])
    found, tree = rows(tmp_path, 20)
    assert list(found) == list(range(21)) and len({row["x"] for row in tree["rows"]}) == 1
    found, _ = rows(tmp_path, 3)
    assert list(found) == list(range(21))


def test_a_large_family_is_cut_and_counted(tmp_path: Path) -> None:
    wide = [[]] + [[i] for i in range(60)] + [[60]] * 50
    grown(begin(tmp_path), wide)
    found, tree = rows(tmp_path, 60)
    assert len(found) == 40 and tree["older"] + tree["younger"] == 60 + 50 - 39
    older, younger = [n for n in found if n < 60], [n for n in found if n > 60]
    assert min(older) == 60 - len(older) and len(older) >= 15  # the nearest ancestors
    assert younger == sorted(younger, reverse=True) and younger[0] == 110  # the best children


@pytest.mark.parametrize(
    "parents", [[[1], [0]], [[0]], [[1, 2], [2, 0], [0, 1]], [[99], [0, 99]], [[1, 1], []]]
)
def test_a_lineage_that_cannot_be_ends(tmp_path: Path, parents: list[list[int]]) -> None:
    grown(begin(tmp_path), parents)
    for number in range(len(parents)):
        found, tree = rows(tmp_path, number)
        assert len(found) == len(tree["rows"]) <= len(parents)
        assert client(tmp_path).get(f"/study/tiny/trial/{number}").status_code == 200


def test_where_a_trial_comes_from_is_a_sentence_with_links(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store)
    add(
        store,
        inherited={"from": 0, "share": 0.62},
        origin={"by": "evolve", "parents": [0], "moves": ["wider"]},
    )
    add(store, reused=1)
    web = client(tmp_path)
    one, two = (Page(web.get(f"/study/tiny/trial/{n}").text) for n in (1, 2))
    assert "This network was made by wider from trial 0 done." in one.text
    assert "62 % of the parameters were initialised with the weights of trial 0" in one.text
    assert "This trial was not trained: its network duplicates that of trial 1 done" in two.text


def put(store: Store, number: int, **files: bytes) -> Path:
    folder = store.trial_folder(number)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def test_what_was_trained_can_be_downloaded(tmp_path: Path) -> None:
    store, weights = begin(tmp_path), os.urandom(700_001)
    add(store)
    put(store, 0, weights__safetensors=weights, report__json=b"{}", other__txt=b"x")
    web = client(tmp_path)
    downloads = {offer["name"]: offer for offer in web.get(f"{PAGE}.json").json()["files"]}
    assert downloads.keys() == {"weights.safetensors", "report.json"}
    assert downloads["weights.safetensors"]["size"] == len(weights)
    assert {offer["href"] for offer in downloads.values()} <= set(Page(web.get(PAGE).text).all("a", "href"))
    answer = web.get(downloads["weights.safetensors"]["href"])
    assert answer.content == weights and answer.headers["content-length"] == str(len(weights))
    assert answer.headers["content-disposition"] == 'attachment; filename="tiny-0-weights.safetensors"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == POLICY
    assert web.get(f"{PAGE}/trained/other.txt").status_code == 404


def test_a_large_file_is_sent_in_pieces(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store)
    folder = put(store, 0)
    with open(folder / "weights.safetensors", "wb") as file:
        file.truncate(1 << 31)  # two gibibytes that use no disk space
    shown = Library(tmp_path).snapshot("tiny")
    file = open_download(shown, shown.by_number[0], "trained", "weights.safetensors")
    assert size_of(file) == 1 << 31 and len(next(chunks(file))) == CHUNK_BYTES
    answer = client(tmp_path).head(f"{PAGE}/trained/weights.safetensors")
    assert answer.headers["content-length"] == str(1 << 31) and answer.content == b""


def test_the_export_belongs_to_one_trial(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, plan={"digest": "d"})
    add(store, plan={"digest": "e"})
    best = store.folder / "best"
    best.mkdir()
    (best / "genome.yaml").write_text("exported")
    (best / "USAGE.md").write_text("# how")
    web = client(tmp_path)
    address = "/study/tiny/trial/{}/export/genome.yaml"
    for info in (None, [], {"export": 1, "trial": 1, "digest": "d"}, {"trial": 1, "digest": "e"}):
        (best / "report.json").write_text(json.dumps(info))
        assert web.get(address.format(1)).status_code == 404
    (best / "report.json").write_text(json.dumps({"export": 1, "trial": 1, "digest": "e"}))
    assert web.get(address.format(1)).text == "exported" and web.get(address.format(0)).status_code == 404
    downloads = web.get("/study/tiny/trial/1.json").json()["files"]
    assert [offer["name"] for offer in downloads] == ["genome.yaml", "report.json", "USAGE.md"]
    assert web.get(f"{PAGE}.json").json()["files"] == []


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "report.json").write_text("root:x")
    store = begin(tmp_path / "runs")
    for _ in range(4):
        add(store)
    put(store, 0)
    (store.trial_folder(0) / "report.json").symlink_to(secret / "report.json")
    store.trial_folder(1).symlink_to(secret)
    put(store, 2)
    os.mkfifo(store.trial_folder(2) / "weights.safetensors")
    (put(store, 3) / "weights.safetensors").mkdir()
    (store.folder / "best").symlink_to(secret)
    web = client(tmp_path / "runs")
    for number in range(4):
        for file in ("trained/report.json", "trained/weights.safetensors", "export/report.json"):
            answer = web.get(f"/study/tiny/trial/{number}/{file}")
            assert answer.status_code == 404 and "root:" not in answer.text
        assert web.get(f"/study/tiny/trial/{number}.json").json()["files"] == []


@pytest.mark.parametrize("what", ["trained/weights.safetensors", "trained/report.json"])
def test_what_is_gone_is_said(tmp_path: Path, what: str) -> None:
    add(begin(tmp_path))
    answer = client(tmp_path).get(f"{PAGE}/{what}")
    assert answer.status_code == 404 and "is stored for this trial" in Page(answer.text).text


def test_the_seconds_of_a_report_are_pieces_of_one_bar() -> None:
    hostile = {
        "forward": 6.0,
        "backward": 12,
        "data": 2.0,
        "a": -1,
        "b": float("nan"),
        "c": "<b>",
        "d": 10**400,
    }
    chunks = seconds_by_part({"parts": hostile})
    assert [(p.name, p.seconds) for p in chunks] == [("backward", 12.0), ("forward", 6.0), ("data", 2.0)]
    assert [(p.at, p.share) for p in chunks] == [(0, 0.6), (0.6, 0.3), (pytest.approx(0.9), 0.1)]
    assert seconds_by_part({"parts": {}}) == seconds_by_part({"parts": [1]}) == seconds_by_part({}) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_what_relatives_hold_is_shown_as_it_is(tmp_path: Path, text: str) -> None:
    store = begin(tmp_path)
    add(store, "failed", None, origin={"by": text, "moves": [text * 9]})
    add(store, text, 0.5, origin={"by": "evolve", "parents": [0], "moves": [text, text]})
    web = client(tmp_path)
    for number in (0, 1):
        answer = web.get(f"/study/tiny/trial/{number}")
        assert answer.status_code == 200 and Page(answer.text).is_harmless()
    assert web.get("/study/tiny/trial/0.json").json()["tree"]["rows"][1]["number"] == 1


def test_the_curve_of_a_trial_that_runs_is_what_the_storage_has(tmp_path: Path) -> None:
    store = begin(tmp_path)
    store.study.ask().set_user_attr("curve", {"2": 0.5, "10": 0.75, "1": 0.25})
    web = client(tmp_path)
    rows = web.get("/study/tiny/trial/0.json").json()["curve"]
    assert [(row["epoch"], row["valid_accuracy"], row["train_loss"]) for row in rows] == [
        (1, 0.25, None),
        (2, 0.5, None),
        (10, 0.75, None),
    ]
    page = web.get("/study/tiny/trial/0").text
    assert len(page.partition('<polyline class="line line-0" points="')[2].partition('"')[0].split()) == 3
    assert "This machine has no report" not in page


def test_the_page_shows_every_class_and_the_confusion_matrix(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, plan={"digest": "d"})
    names = ["cat", "<b>dog</b>", "owl"]
    facts = {
        "name": "x",
        "digest": "",
        "input": [1, 8, 8],
        "classes": names,
        "mean": [0],
        "std": [1],
        "images": {},
    }
    store.study.set_user_attr(FACTS_ATTR, facts)
    counts = {"images": [4, 6, 0], "predicted": [5, 4, 1], "right": [3, 4, 0], "auc": [0.75, 0.9, None]}
    report = {
        "number": 0,
        "digest": "d",
        "curve": [],
        "by_class": counts,
        "confusion": [[3, 0, 1], [2, 4, 0], [0, 0, 0]],
    }
    put(store, 0, report__json=json.dumps(report).encode())
    web = client(tmp_path)
    page = Page(web.get("/study/tiny/trial/0").text)
    assert page.is_harmless()
    cells = " ".join(text.strip() for text in page.texts if text.strip())
    assert "cat 4 0.7500 0.6000 0.7500 <b>dog</b> 6 0.6667 1.0000 0.9000 owl 0 - 0.0000 -" in cells
    assert "cat <b>dog</b> owl cat 3 0 1 <b>dog</b> 2 4 0 owl 0 0 0" in cells
    values = web.get("/study/tiny/trial/0.json").json()
    assert [[cell["shade"] for cell in row] for row in values["confusion"]] == [
        [4, 0, 2],
        [2, 4, 0],
        [0, 0, 0],
    ]


def test_of_many_classes_the_page_lists_the_worst(tmp_path: Path) -> None:
    many = MOST_ROWS + 3
    counts = {"images": [many] * many, "predicted": [many] * many, "right": list(range(many))[::-1]}
    rows = class_rows({"by_class": counts}, [])
    assert [row.name for row in rows] == [str(k) for k in range(many - 1, many - 1 - MOST_ROWS, -1)]
    assert confusion_cells({"confusion": [[1] * many] * many}) == []


def test_the_page_shows_the_spread_over_the_folds(tmp_path: Path) -> None:
    add(begin(tmp_path), accuracy=0.5, folds={"accuracy": [0.4, 0.5, 0.6], "loss": [0.5]})
    page = Page(client(tmp_path).get("/study/tiny/trial/0").text)
    assert "0.5000 ± 0.1000 (3 folds)" in page.text and "loss0.5000 (1 folds)" not in page.text
