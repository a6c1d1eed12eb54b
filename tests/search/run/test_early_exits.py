"""Early exits as objectives of whole studies: a trial costs what `genome exits` finds of its network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.exits.curve import Seen
from search.config.read import read_study
from search.errors import StudyError
from search.objective import formatted
from search.proposals.history import History
from search.results.exits.expected import calibrated, stopped
from search.run.latency import DEVICE_ATTR
from search.run.progress import Silent
from search.storage.record import Record
from search.storage.study import claim, open_to_run
from search.storage.trial_files import read_training
from search.storage.trial_report import TrialReport, stored_report
from search.study import Result, Study
from tests.search.conftest import Said, study_of
from tests.search.dashboard.kept import client
from trainer import ReportError

SPACE = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"int": [6, 12]}, "stride": 2},
        "(early)": {"op": "exit", "in": ["stem"], "pool": "flatten"},
        "body": {"op": "conv", "in": ["stem"], "width": 16},
        "out": {"op": "exit", "in": ["body"], "pool": "flatten"},
    }
}
STUDY = study_of(
    objectives={"accuracy": "maximize", "expected_macs": "minimize"},
    exits={"drop": "2%"},
    space=SPACE,
    budget={"rungs": [1]},
    pruner="halving",
    train={"epochs": 3, "batch": 128, "lr": 0.1},
    workers=1,
    trials=9,
    finale={"top": 1, "seeds": 1},
)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of a study of networks with one and two exits; tests do not change it."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return Study.load(folder / "tiny.yaml", folder / "runs").run(Silent())


def exits_of(record: Record) -> int:
    assert record.genome is not None
    return len(genome.resolve(genome.loads(record.genome)).exits)


def report_of(result: Result, folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((result.folder / folder / "report.json").read_text())
    return found


def test_trials_have_what_their_networks_cost(ended: Result) -> None:
    assert {exits_of(one) for one in ended.records} == {1, 2}
    assert {one.outcome for one in ended.records} == {"done", "pruned"}
    for one in ended.records:
        cost, whole = one.metrics["expected_macs"], one.macs
        assert whole is not None and (cost == whole if exits_of(one) == 1 else 0 < cost <= whole)
        report = stored_report(ended.folder / "trials" / str(one.number), one.digest, one.number)
        assert report is not None
        assert [*report.stopped] == ["expected_macs"]
        told = report.stopped["expected_macs"]
        assert told.cost == cost
        assert told.accuracy >= (report.report.valid_accuracy or 1) - 0.02 - 1e-9
        assert len(told.shares) == exits_of(one) and sum(told.shares) == pytest.approx(1)
    assert any(one.metrics["expected_macs"] < (one.macs or 0) for one in ended.records)


def test_the_front_is_of_these_costs(ended: Result) -> None:
    pairs = {(one.metrics["accuracy"], -one.metrics["expected_macs"]) for one in ended.records if one.values}
    unbeaten = {p for p in pairs if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in pairs)}
    assert {(one.metrics["accuracy"], -one.metrics["expected_macs"]) for one in ended.best} == unbeaten


def test_genome_exits_finds_the_same(ended: Result, command: Callable[..., Said], tmp_path: Path) -> None:
    one = next(r for r in ended.records if exits_of(r) == 2 and r.finale is None and r.values)
    runs = shutil.copytree(ended.folder.parent, tmp_path / "copy")  # the command writes beside the weights
    said = command("exits", f"tiny#{one.number}", "--drop", "2%", "--json", "--runs", runs)
    assert said.status == 0, said.err
    assert json.loads(said.out)["valid"]["macs"] == pytest.approx(one.metrics["expected_macs"], rel=1e-6)


def test_table_and_export_have_them(ended: Result, command: Callable[..., Said]) -> None:
    shown = command("best", "tiny", "--runs", ended.folder.parent).out.splitlines()
    assert "expected_macs" in shown[0].split()
    info = report_of(ended, "best")
    trial = ended.folder / "trials" / str(info["trial"])
    trainings = [json.loads(path.read_text()) for path in trial.rglob("report.json")]
    assert len(trainings) == 2  # of the search and of the finale
    assert [one["stopped"] for one in trainings if one["seed"] == info["seeds"]["train"]] == [info["stopped"]]
    told, card = info["stopped"]["expected_macs"], (ended.folder / "best" / "README.md").read_text()
    shown = f"{round(told['cost']):,}, accuracy {told['accuracy']:.4f}"
    assert f"| mean multiply-adds where images leave early, valid | {shown} |" in card


def test_pages_show_them(ended: Result) -> None:
    web, first = client(ended.folder.parent), ended.best[0]
    said = formatted("expected_macs", first.metrics["expected_macs"])
    for page in ("/study/tiny", "/study/tiny?cost=expected_macs", f"/study/tiny/trial/{first.number}"):
        shown = web.get(page)
        assert shown.status_code == 200 and "expected_macs" in shown.text and said in shown.text
    two = next(one for one in ended.records if exits_of(one) == 2)
    assert f"genome exits tiny#{two.number} --drop 2%" in web.get(f"/study/tiny/trial/{two.number}").text


def test_measuring_changes_no_training(run: Callable[..., Result]) -> None:
    same = {**STUDY, "trials": 2, "finale": "none", "pruner": "none"}
    beside = run(**same)
    alone = run(**{**same, "study": "alone", "objectives": {"accuracy": "maximize"}, "exits": None})
    for one, other in zip(alone.records, beside.records, strict=True):
        assert one.digest == other.digest and one.metrics["loss"] == other.metrics["loss"]
    for one in beside.records:
        seconds = report_of(beside, f"trials/{one.number}")["seconds"]
        assert seconds == pytest.approx(one.seconds, abs=1e-5)


def test_samplers_and_pruners_learn_the_costs_of_pruned_trials(ended: Result) -> None:
    config = Study.load(ended.folder.parents[1] / "tiny.yaml", ended.folder.parent).config
    history = History(config.objectives, config.recipe.epochs)
    pruned = [one for one in ended.records if one.outcome == "pruned"]
    for one in ended.records:
        history.add(one)
    for one in pruned:
        cost = one.metrics["expected_macs"]
        (known,) = [known for known in history.individuals() if known.number == one.number]
        assert known.costs == (-one.rungs[1], cost)
        assert history.climbs()[one.number].costs == (cost,)


def test_a_report_keeps_them(ended: Result) -> None:
    plain = read_training(ended.folder / "trials" / "0").report
    assert TrialReport.of_json(plain).to_json()["stopped"] == plain["stopped"]
    for wrong in (3, {"expected_macs": 1}, {"expected_macs": {"cost": "x", "accuracy": 1, "shares": []}}):
        with pytest.raises(ReportError, match="no report of a trial"):
            TrialReport.of_json({**plain, "stopped": wrong})


def test_the_study_of_the_project_draws_early_exits() -> None:
    study = read_study(Path(__file__).parents[3] / "studies" / "early.yaml")
    assert study.stopping == ("expected_macs",) and study.exits.share == 0.005
    drawn = [genome.resolve(study.space.sample(Random(seed))) for seed in range(30)]
    assert {len(plan.exits) for plan in drawn} == {1, 2, 3}


def test_expected_latency_is_of_one_processor(tmp_path: Path) -> None:
    changed = {"objectives": ["accuracy", "expected_latency"], "trials": 3, "finale": "none"}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**STUDY, **changed}, sort_keys=False))
    study = Study.load(tmp_path / "tiny.yaml", tmp_path / "runs")
    records = study.run().records
    assert all(0 < one.metrics["expected_latency"] < 1 and "latency" not in one.metrics for one in records)
    with claim("tiny", tmp_path / "runs", None) as claimed:
        store = open_to_run(claimed, ["maximize", "minimize"], {})
        assert store.study.user_attrs[DEVICE_ATTR]
        store.study.set_user_attr(DEVICE_ATTR, "another processor")
        store.close()
    with pytest.raises(StudyError, match="measures latency on another processor"):
        study.run()


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.floats(0, 0.5))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_network_that_stops_loses_no_more_than_it_may(seed: int, exits: int, drop: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, 60)
    logits = [rng.normal(size=(60, 5)) + (k + 1) * np.eye(5)[labels] for k in range(exits)]
    costs = np.cumsum(rng.uniform(1, 10, exits)).tolist()
    seen = calibrated(Seen(tuple(logits), labels))
    one, strict = stopped(seen, costs, drop), stopped(seen, costs, 0.0)
    assert one.cost <= strict.cost <= costs[-1] + 1e-9
    assert one.accuracy >= seen.accuracies()[-1] - drop - 1e-9
    assert one.cost == pytest.approx(float(np.dot(one.shares, costs)))
    alone = stopped(Seen((logits[-1],), labels), costs[-1:], drop)
    assert (alone.cost, alone.shares) == (costs[-1], (1.0,)) and alone.accuracy == seen.accuracies()[-1]
