"""What a search learned: effects, moves that paid off, genes together, and the front of each node type."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from genome.domain import OneOf
from search.dashboard.gene_analysis.effects import LEAST, effects, superiority
from search.dashboard.gene_analysis.moves import move_results, wilson
from search.dashboard.gene_analysis.pairs import SHADES, pair_map
from search.dashboard.plots.parallel_chart import MOST_LINES, parallel_chart
from search.dashboard.studies.library import Library
from tests.search.dashboard.kept import Page, add, begin, client, text_of
from tests.search.dashboard.server import Server
from tests.search.dashboard.test_browser import AXE, GRAVE, NARROW, SETTLED, WIDE, Tab, expect, read
from tests.search.dashboard.test_genes import filled, ready

HOLES: dict[str, Any] = {"a": OneOf(3, 5, 7), "b": OneOf(False, True)}
some = st.lists(st.integers(0, 6), min_size=1, max_size=15)


@given(some, some)
def test_superiority_is_the_share_of_pairs_that_are_won(ones: list[int], others: list[int]) -> None:
    won = sum((one > other) + (one == other) / 2 for one in ones for other in others)
    found = superiority(np.array(ones, float), np.array(others, float))
    assert found.value == pytest.approx(won / (len(ones) * len(others)))
    assert 0 <= found.low <= found.value <= found.high <= 1 and found.high > found.low
    turned = superiority(np.array(others, float), np.array(ones, float))
    assert turned.value == pytest.approx(1 - found.value)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Normal scores: the truth is the distribution function of a normal at the difference over the root of two."""
    draw, shift = np.random.default_rng(0), 0.8
    truth = 0.5 * (1 + math.erf(shift / 2))
    found = [superiority(draw.normal(shift, 1, 15), draw.normal(0, 1, 30)) for _ in range(400)]
    assert 0.9 <= sum(one.low <= truth <= one.high for one in found) / 400 <= 0.99


def drawn(trials: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers of which 7 of the first gene is better; the costs of all trials, and which are pruned."""
    draw = np.random.default_rng(0)
    codes = np.stack([draw.integers(1, 4, trials), draw.integers(1, 3, trials)], 1).astype(np.uint8)
    costs = 1.0 - (codes[:, 0] == 3) - 0.5 * draw.random(trials)
    pruned = np.arange(trials) % 4 == 0
    costs[pruned] = np.nan
    return codes, costs, pruned


def test_the_answer_that_matters_is_clear_and_pruned_trials_are_counted_apart() -> None:
    codes, costs, pruned = drawn()
    ops = [frozenset({"conv"} if code == 3 else {"conv", "pool"}) for code in codes[:, 0]]
    found = effects(HOLES, codes, ops, costs, pruned)
    first, has = found[0], codes[:, 0] == 3
    assert (first.name, first.answer) == ("a", "7") and first.is_clear and first.better.value == 1.0
    assert first.trials == (has & ~pruned).sum() and first.others == (~has & ~pruned).sum()
    assert first.pruned == ((has & pruned).sum(), has.sum())
    assert first.pruned_others == ((~has & pruned).sum(), (~has).sum())
    told = [(one.name, one.answer) for one in found]
    assert ("node type", "conv") not in told, "all networks have it"
    assert sum(name == "b" for name, _ in told) == 1, "of two answers one says all"
    no, yes = ((codes[:, 1] == code) & ~pruned for code in (1, 2))
    chance = next(one for one in found if one.name == "b")
    assert chance.better.value == pytest.approx(superiority(-costs[no], -costs[yes]).value)
    assert ("node type", "pool") in told, "those with another answer than 7"


def test_networks_that_are_the_same_are_told_once_and_few_tell_nothing() -> None:
    codes, costs, pruned = drawn()
    ops = [frozenset({"conv", "pool"} if code == 3 else {"conv"}) for code in codes[:, 0]]
    assert ("node type", "pool") not in [
        (one.name, one.answer) for one in effects(HOLES, codes, ops, costs, pruned)
    ]
    few = np.full(len(costs), np.nan)
    few[np.flatnonzero(codes[:, 0] == 3)[: LEAST - 1]] = 0.0
    few[np.flatnonzero(codes[:, 0] != 3)[:20]] = 1.0
    assert "7" not in [one.answer for one in effects(HOLES, codes, ops, few, pruned)]
    nothing = np.empty((0, 2), np.uint8)
    assert effects(HOLES, nothing, [], np.empty(0), np.empty(0, bool)) == []


@given(st.integers(0, 40), st.integers(1, 40))
def test_the_interval_of_a_share_is_wilsons(part: int, more: int) -> None:
    whole = part + more
    known = binomtest(part, whole).proportion_ci(method="wilson")
    assert wilson(part, whole) == pytest.approx((known.low, known.high), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_moves_are_compared_with_the_best_parent(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, accuracy=0.5)
    add(store, accuracy=0.7)
    made = (
        (0.8, "done", [0, 1], ["gene stem.kernel 3 -> 5", "gene stem.width 4 -> 8"]),
        (0.6, "done", [0, 1], ["gene stem.kernel 5 -> 3"]),
        (0.6, "done", [0], ["node (s2) false -> true", "gene stem.width 8 -> 4"]),
        (0.9, "pruned", [1], ["node (s2) true -> false"]),
        (None, "failed", [1], ["node (s2) true -> false"]),
    )
    for number, (accuracy, outcome, parents, moves) in enumerate(made):
        origin = {"by": "evolve", "parents": parents, "moves": moves}
        metrics = {"accuracy": accuracy} if outcome == "pruned" else {}
        reached = accuracy if outcome == "done" else None
        add(store, outcome, reached, origin=origin, plan={"digest": str(number)}, metrics=metrics)
    gene, node = move_results(Library(tmp_path).snapshot("tiny"))
    assert (gene.move, gene.children, gene.pruned, gene.compared, gene.better) == ("gene", 3, 0, 3, 2)
    assert gene.change == pytest.approx(0.1) and gene.records == 1
    assert (gene.low, gene.high) == wilson(2, 3)
    assert (node.move, node.children, node.pruned, node.compared, node.better) == ("node", 3, 1, 1, 1)


@pytest.mark.parametrize("higher", [True, False])
def test_a_cell_of_a_pair_has_the_median_of_its_networks(higher: bool) -> None:
    codes, costs, pruned = drawn()
    found = pair_map(HOLES, codes, costs, pruned, ("a", "b"), higher)
    assert (found.columns, [word for word, _ in found.rows]) == (["3", "5", "7"], ["no", "yes"])
    medians = dict[int, list[float]]()
    for j, (_, cells) in enumerate(found.rows, start=1):
        for i, cell in enumerate(cells, start=1):
            here = (codes == (i, j)).all(1)
            assert (cell.trials, cell.pruned) == ((here & ~pruned).sum(), (here & pruned).sum())
            assert cell.median == pytest.approx(np.median(costs[here & ~pruned]))
            medians.setdefault(cell.shade, []).append(cell.median)
    best = (max if higher else min)(value for values in medians.values() for value in values)
    assert best in medians[SHADES], "the best has the strongest shade"


def test_a_network_is_a_line_over_its_answers() -> None:
    codes, costs, _ = drawn()
    numbers, is_top = list(range(100, 160)), np.arange(60) < 15
    chart = parallel_chart(HOLES, codes, 1 - costs, numbers, is_top, ["a", "b"], "loss")
    assert chart is not None and [axis.name for axis in chart.axes] == ["a", "b", "loss"]
    known = np.flatnonzero(np.isfinite(costs))
    assert sorted(line.number for line in chart.lines) == [100 + i for i in known] and chart.shown == len(
        known
    )
    marks = {mark.text: mark.y for mark in chart.axes[0].marks}
    assert set(marks) == {"3", "5", "7"}
    for line in chart.lines:
        corners = [tuple(map(float, one.split(","))) for one in line.points.split()]
        assert [x for x, _ in corners] == [axis.x for axis in chart.axes]
        assert all(chart.top <= y <= chart.bottom for _, y in corners)
        nearest = min(marks, key=lambda word, y=corners[0][1]: abs(marks[word] - y))
        assert nearest == ("3", "5", "7")[codes[line.number - 100, 0] - 1]
        assert line.is_top == bool(is_top[line.number - 100])
    many = np.tile(codes, (40, 1))
    drawn_many = parallel_chart(
        HOLES, many, np.arange(2400.0), range(2400), np.zeros(2400, bool), ["a"], "loss"
    )
    assert drawn_many is not None and len(drawn_many.lines) <= MOST_LINES < drawn_many.whole
    assert parallel_chart(HOLES, codes, np.full(60, np.nan), numbers, is_top, ["a"], "loss") is None


def test_the_page_shows_the_genes_that_a_person_chose(tmp_path: Path) -> None:
    filled(tmp_path)
    web = client(tmp_path)
    twin = ready(web, "/study/tiny/genes.json")
    assert twin["choice"] == {
        "gene": ["stem.conv.kernel", "stem.width"],
        "across": "stem.conv.kernel",
        "up": "stem.width",
    }
    first = twin["effects"][0]
    assert (first["name"], first["pruned"]["part"] + first["pruned_others"]["part"]) == (
        "stem.conv.kernel",
        1,
    )
    assert [axis["name"] for axis in twin["parallel"]["axes"]] == [
        "stem.conv.kernel",
        "stem.width",
        "accuracy",
    ]
    chosen = ready(web, "/study/tiny/genes.json?gene=stem.width&up=stem.conv.kernel&across=stem.width")
    assert (chosen["pair"]["across"], chosen["pair"]["up"]) == ("stem.width", "stem.conv.kernel")
    assert [axis["name"] for axis in chosen["parallel"]["axes"]] == ["stem.width", "accuracy"]
    page = Page(web.get("/study/tiny/genes?gene=stem.width").text)
    assert page.is_harmless() and "What makes a difference" in page.text
    polled = next(attrs["hx-get"] for tag, attrs in page.elements if attrs.get("id") == "genes")
    assert polled is not None and polled.endswith("&gene=stem.width") and web.get(polled).status_code == 204
    assert "Effects on accuracy" in Page(web.get("/study/tiny/part/findings").text).text
    for wrong, said in {
        "gene=nodes": "gene is 'nodes'; it may be a gene of the study's space",
        "up=<b>": "it may be a gene of the study's space",
        "x=1": "'x' is no parameter of this page; the parameters are gene, across, up",
    }.items():
        answer = web.get(f"/study/tiny/genes.json?{wrong}")
        assert answer.status_code == 400 and said in answer.json()["error"]


def test_each_node_type_has_a_front_of_its_own(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for i in range(8):
        op = "conv" if i % 2 else "separable"
        plan = {"macs": 100 * (i + 1), "digest": str(i)}
        add(store, accuracy=0.5 + i / 100, text=text_of(op=op), plan=plan)
    add(store, "pruned", None, metrics={"accuracy": 0.99}, plan={"macs": 1, "digest": "p"})
    found = client(tmp_path).get("/study/tiny/plot/fronts.json").json()
    assert {one["name"]: one["trials"] for one in found["series"]} == {
        "conv (4)": [1, 3, 5, 7],
        "separable (4)": [0, 2, 4, 6],
    }
    assert found["x"]["name"] == "macs" and "8 fully trained networks" in found["note"]


def test_a_person_chooses_genes_and_opens_a_network(tab: Tab, tmp_path: Path) -> None:
    store = filled(tmp_path)
    for number in range(3):
        origin = {"by": "evolve", "parents": [number], "moves": ["gene stem.width 4 -> 8"]}
        text = text_of(width=4, op="conv" if number else "separable")
        add(store, accuracy=0.9, text=text, origin=origin, plan={"digest": f"m{number}"})
    server = Server("--runs", tmp_path, "--port", 0)
    try:
        read(server, "tiny")
        page = tab(viewport=WIDE)
        page.goto(f"http://{server.place}/study/tiny/genes")
        page.get_by_text("What makes a difference").wait_for()
        page.locator("select[name=across]").select_option("stem.width")
        page.locator("select[name=up]").select_option("stem.conv.kernel")
        page.get_by_text("Genes of the parallel coordinates").click()
        page.locator('input[name=gene][value="stem.width"]').check()
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**across=stem.width**")
        expect(page.locator(".heat thead th")).to_have_text(["4", "8"])
        page.wait_for_function(SETTLED)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            page.wait_for_function(
                "size => innerWidth === size && document.scrollingElement.scrollWidth <= size",
                arg=size["width"],
            )
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                grave = [one for one in found["violations"] if one["impact"] in GRAVE]
                assert [(scheme, one["id"], one["nodes"][0]["html"]) for one in grave] == []
        page.set_viewport_size(WIDE)
        line = page.locator(".parallel a").last
        number = line.locator("title").text_content()
        line.locator("polyline").dispatch_event("click")
        page.get_by_role("heading", name=f"{number.capitalize()} of tiny").wait_for()
        page.close()
    finally:
        server.end()
