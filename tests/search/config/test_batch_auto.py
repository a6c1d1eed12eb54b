"""`batch: auto`: the largest batch whose training fits into `budget.memory`, for each network."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import genome
from genome.yaml.source import parse
from search.config.candidate import candidate, measured
from search.config.changes import check_same
from search.config.needed_memory import LARGEST_BATCH, SMALLEST_BATCH, NeededMemory
from search.config.read import check_study, parse_study
from search.config.study import StudyConfig
from search.errors import StudyError
from search.results.refs import named
from search.space.point import Point
from search.study import Result
from tests.search.conftest import Said

SPACE = """space:
  nodes:
    stem: {op: conv, in: [image], kernel: 3, width: {int: [4, 64]}}
    out: {op: exit, in: [stem]}
"""


def checked(memory: str, train: str = "{batch: auto, epochs: 2}") -> StudyConfig:
    text = f"study: tiny\ndata: digits\ntrials: 3\nbudget: {{memory: {memory}}}\ntrain: {train}\n{SPACE}"
    return check_study(parse(text, "s.yaml"))


def batch_of(study: StudyConfig, width: int) -> int:
    drawn = study.space.decode(lambda _, domain: width)
    return candidate(Point(drawn), study.train).recipe.batch


def test_each_network_has_the_largest_batch_that_fits() -> None:
    study = checked("1MiB")
    found = {width: batch_of(study, width) for width in (4, 16, 64)}
    assert LARGEST_BATCH >= found[4] > found[16] > found[64] > SMALLEST_BATCH
    for width, batch in found.items():
        plan = genome.resolve(study.space.decode(lambda _, domain, width=width: width))
        needed = NeededMemory(plan, study.recipe)
        assert needed.training(batch) <= 2**20
        assert batch == LARGEST_BATCH or needed.training(2 * batch) > 2**20
    assert batch_of(checked("8GiB"), 64) == LARGEST_BATCH


def test_a_network_that_fits_with_no_batch_is_refused() -> None:
    study = checked("10kB")
    network = candidate(Point(study.space.sample(Random(0))), study.train)
    assert network.recipe.batch == SMALLEST_BATCH
    assert [one.limit for one in measured(network, study) if one.over > 0] == ["budget.memory"]


def test_the_text_of_the_study_keeps_auto_and_its_memory() -> None:
    study = checked("1MiB")
    assert study.train.plain()["batch"] == "auto"
    again = parse_study(study.text(), "stored")
    assert batch_of(again, 16) == batch_of(study, 16)
    check_same(study, checked("1MiB"))
    with pytest.raises(StudyError, match=r"budget\.memory .* batch: auto goes by it"):
        check_same(study, checked("2MiB"))
    with pytest.raises(StudyError, match=r"train\.batch"):
        check_same(study, checked("1MiB", "{batch: 64, epochs: 2}"))


@pytest.mark.parametrize(
    ("train", "why"),
    [
        (
            {"batch": "auto"},
            "train.batch is auto, the largest that fits into budget.memory, and there is none",
        ),
        ({"batch": "largest"}, "train.batch"),
        ({"batch": {"one_of": ["auto", 32]}}, "train.batch is 'auto'; it must be a whole number"),
    ],
)
def test_a_batch_that_is_none_is_refused(
    command: Callable[..., Said], written: Callable[..., Path], train: object, why: str
) -> None:
    said = command("check", written(train=train))
    assert said.status == 2 and why in said.out + said.err
    assert "Traceback" not in said.err


def test_search_finale_export_and_a_ref_have_the_number(
    run: Callable[..., Result], command: Callable[..., Said], tmp_path: Path
) -> None:
    auto = {"batch": "auto", "epochs": 1}
    done = run(trials=1, budget={"memory": "64MiB"}, train=auto, finale={"top": 1, "seeds": 1}, workers=1)
    assert done.exported is not None
    reports = [json.loads(file.read_text()) for file in (tmp_path / "runs" / "tiny").rglob("report.json")]
    assert len(reports) == 3  # of the trial, its seed and the export
    assert {one.get("training", one)["recipe"]["batch"] for one in reports} == {LARGEST_BATCH}
    found = named("tiny#0", tmp_path / "runs")
    assert found.recipe is not None and found.recipe.batch == LARGEST_BATCH
    said = command("best", "tiny").out
    assert "predicted peak memory of 1 training: off by " in said
    error = json.loads(command("best", "tiny", "--json").out)["peak_memory"]
    report = json.loads((tmp_path / "runs" / "tiny" / "trials" / "0" / "report.json").read_text())
    off = abs(report["predicted_memory_bytes"] / report["peak_memory_bytes"] - 1)
    assert error == {"trainings": 1, "median": off, "ninetieth": off}
