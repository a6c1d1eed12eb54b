"""The analysis of genes: each answer is counted as it was given, and the gene that matters is found."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import genome
from genome.domain import Domain, Float, Int, OneOf
from search.config.read import parse_study
from search.dashboard.gene_analysis import apart
from search.dashboard.gene_analysis.analysis import GeneAnalysis, GeneFindings
from search.dashboard.gene_analysis.answer_kinds import MOST_CHOICES, kind, kinds, kinds_in, labels
from search.dashboard.gene_analysis.apart import ROWS, map_apart
from search.dashboard.gene_analysis.importance import LEAST, importance
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.storage.study import Store
from tests.search.conftest import study_of
from tests.search.dashboard.kept import Page, add, begin, client, text_of
from tests.search.dashboard.test_hostile import HOSTILE

DOMAINS = [
    OneOf("conv", "pool"),
    OneOf(False, True),
    OneOf(*range(40)),
    Int(1, 3),
    Int(8, 32, 8),
    Int(1, 1000),
    Int(5, 5),
    Int(0, 90, 7 - 1),
    Float(0.1, 0.9),
    Float(1e-5, 1.0, log=True),
    Float(2.0, 2.0),
]
PATIENCE = 120.0


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@given(seed=st.integers(0, 1000))
def test_every_answer_has_its_kind(domain: Domain, seed: int) -> None:
    drawn = [domain.draw(Random(seed + i)) for i in range(5)]
    known = labels(domain)
    assert len(known) <= MOST_CHOICES and all(0 <= kind(domain, answer) < len(known) for answer in drawn)
    if not isinstance(domain, OneOf):
        drawn.sort()
        assert [kind(domain, a) for a in drawn] == sorted(kind(domain, a) for a in drawn)


def test_ranges_of_whole_numbers_are_where_they_say() -> None:
    domain = Int(1, 1000)
    for answer in range(1, 1001):
        low, high = map(int, labels(domain)[kind(domain, answer)].split(" to "))
        assert low <= answer <= high
    assert labels(Int(8, 32, 8)) == ("8", "16", "24", "32") and labels(OneOf(False, True)) == ("no", "yes")


def test_the_gene_that_matters_is_found() -> None:
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 4, (200, 6)).astype(np.uint8)
    found = importance(codes, codes[:, 3] + 0.1 * draw.random(200))
    assert found is not None and found.explained > 0.7 and found.shares[3] > 0.8
    assert sum(found.shares) == pytest.approx(1.0)


def test_chance_is_no_importance() -> None:
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 4, (200, 6)).astype(np.uint8)
    found = importance(codes, draw.random(200))
    assert found is not None and found.explained < 0.05 and set(found.shares) == {0.0}
    assert importance(codes[: LEAST - 1], np.arange(LEAST - 1)) is None


def filled(folder: Path, trials: int = 40) -> Store:
    """A study in which a larger kernel is better, and no other gene matters."""
    space = {
        "nodes": {
            "stem": {
                "op": "conv",
                "in": ["image"],
                "kernel": {"one_of": [3, 5, 7]},
                "width": {"int": [4, 8, 4]},
            },
            "out": {"op": "exit", "in": ["stem"]},
        }
    }
    store, draw = begin(folder, space=space), Random(0)
    for i in range(trials):
        kernel, width = draw.choice([3, 5, 7]), draw.choice([4, 8])
        add(
            store,
            accuracy=kernel / 10 + draw.random() / 20,
            text=text_of(kernel, width),
            plan={"digest": str(i)},
        )
    add(store, "pruned", None, text_of(3, 4), metrics={"accuracy": 0.99}, epochs=1)
    add(store, "failed", None, text_of(3, 4))
    add(store, text="no genome", accuracy=0.1, plan={"digest": "none"})
    return store


def ready(web: Any, address: str) -> dict[str, Any]:
    """Return the twin when all of it is computed."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        twin: dict[str, Any] = web.get(address).json()
        if twin["is_ready"] and not twin["is_weighing"]:
            return twin
    raise AssertionError(twin)


def test_what_a_study_learned(tmp_path: Path) -> None:
    filled(tmp_path)
    web = client(tmp_path)
    twin = ready(web, "/study/tiny/genes.json")
    first, second = twin["genes"]
    assert (first["name"], second["name"]) == ("stem.conv.kernel", "stem.width")
    assert first["importance"] > 0.8 and twin["weighed"]["explained"] > 0.5
    assert (twin["trials"], twin["unread"], first["asked"]) == (42, 1, 41)
    assert [answer["answer"] for answer in first["answers"]] == ["3", "5", "7"]
    assert [answer["top"] for answer in first["answers"]] == [0, 0, twin["top"] - 0]
    medians = [answer["box"]["median"] for answer in first["answers"]]
    assert medians == sorted(medians) and first["answers"][0]["box"]["high"] < 0.36, "0.99 was only a rung's"
    assert {one["op"]: one["trials"] for one in twin["node_types"]} == {"conv": 41, "exit": 41}
    page = Page(web.get("/study/tiny/genes").text)
    assert page.is_harmless() and "stem.conv.kernel" in page.text
    short = Page(web.get("/study/tiny/part/findings").text)
    assert short.is_harmless() and "/study/tiny/genes" in short.all("a", "href")
    assert web.get(f"/study/tiny/part/findings?since={twin['mark']}").status_code == 204


def test_what_comes_later_is_learned_too(tmp_path: Path) -> None:
    store = filled(tmp_path, 30)
    library, learner = Library(tmp_path), GeneAnalysis()
    before = learner.findings(library.snapshot("tiny"), PATIENCE)
    add(store, accuracy=0.9, text=text_of(7, 8), plan={"digest": "new"})
    learner.findings(library.snapshot("tiny"), PATIENCE)
    after = learner.findings(library.snapshot("tiny"), PATIENCE)
    assert before and after and after.trials == before.trials + 1 and after.mark != before.mark
    assert after.importance is before.importance, "one more trial weighs nothing anew"


def test_pages_wait_for_an_analysis_once(tmp_path: Path) -> None:
    """Each page of a server waited anew for the same analysis, which reads thousands of genomes for ten seconds."""
    filled(tmp_path, 12)
    snapshot, goes_on = Library(tmp_path).snapshot("tiny"), threading.Event()

    class Long(GeneAnalysis):
        def _learn(self, snapshot: Snapshot) -> Iterator[GeneFindings]:
            goes_on.wait(PATIENCE)
            yield from super()._learn(snapshot)

    learner = Long()
    assert learner.findings(snapshot, 1.0) is None
    began = time.monotonic()
    assert learner.findings(snapshot, 1.0) is None
    assert time.monotonic() - began < 0.5
    goes_on.set()
    found = learner.findings(snapshot, PATIENCE)
    assert found and found.trials == 14


def test_a_genome_outside_the_space_has_no_answers() -> None:
    space = parse_study(yaml.safe_dump(study_of(), sort_keys=False), "<test>").space
    assert kinds(space, "no genome") is None and kinds(space, None) is None
    drawn = space.sample(Random(0))
    codes = kinds(space, genome.dump(drawn))
    assert codes is not None and len(codes) == len(space.holes)
    assert sum(code > 0 for code in codes) == len(space.encode(drawn))


def test_a_process_of_its_own_reads_the_same_answers() -> None:
    """The server reads few new genomes itself: thousands would keep its pages waiting."""
    config = parse_study(yaml.safe_dump(study_of(), sort_keys=False), "<test>")
    texts = [genome.dump(config.space.sample(Random(seed))) for seed in range(3)]
    rows = [(text, {}) for text in [*texts, "no genome", None]]
    read = map_apart(partial(kinds_in, config.text(), config.data.known_shape), rows)
    assert list(read) == [kinds(config.space, *row) for row in rows]


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "usable_cores", lambda: 3)


@pytest.mark.usefixtures("three_cores")
def test_several_processes_give_the_results_in_the_order_of_the_rows() -> None:
    rows = [(str(number),) for number in range(2 * ROWS + 1)]
    assert list(map_apart(int, rows)) == list(range(2 * ROWS + 1))
    assert list(map_apart(int, [])) == []


@pytest.mark.usefixtures("three_cores")
def test_the_failure_of_one_of_several_processes_is_said() -> None:
    rows = [(str(number),) for number in range(2 * ROWS - 1)]
    with pytest.raises(RuntimeError, match="has ended: ValueError: invalid literal"):
        list(map_apart(int, [*rows, ("x",)]))


def test_a_process_of_its_own_that_fails_says_why() -> None:
    found = map_apart(int, [("1",), ("x",)])
    assert next(found) == 1
    with pytest.raises(RuntimeError, match="has ended: ValueError: invalid literal"):
        next(found)


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_a_choice_of_a_hostile_name_is_text(tmp_path: Path, text: str) -> None:
    add(begin(tmp_path), text=text, accuracy=0.5, metrics={text: 0.5})
    web = client(tmp_path)
    assert ready(web, "/study/tiny/genes.json")["unread"] == 1
    assert Page(web.get("/study/tiny/genes").text).is_harmless()


def test_a_study_without_trials_has_its_pages(tmp_path: Path) -> None:
    begin(tmp_path)
    web = client(tmp_path)
    assert ready(web, "/study/tiny/genes.json")["trials"] == 0
    assert "No network is trained yet" in Page(web.get("/study/tiny/genes").text).text
    assert (
        web.get("/study/tiny/genes?x=1").status_code == 400 and web.get("/study/no/genes").status_code == 404
    )
