"""K folds: a trial is trained once for each, its scores are the means, and no interruption changes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import nn

import search
import search.storage.study
import trainer
from search.workers.folds import trained_folds
from search.workers.messages import Job, StopTask
from search.workers.trial import WorkerContext, run
from tests.search.conftest import Said
from trainer import Data, Recipe, Report

RECIPE = Recipe(epochs=2, batch=128)


@pytest.fixture(scope="module")
def thirds() -> Data:
    return trainer.load("digits", folds=3)


def after(steps: int) -> Callable[[], bool]:
    left = iter(range(steps))
    return lambda: next(left, None) is None


def trained(data: Data, path: Path, stop_asked: Callable[[], bool], resumes: bool) -> Report:
    """Train a small network on all folds as a worker does; it stops when asked."""
    seconds = [0.0]

    def train(fold: int, checkpoint: trainer.Checkpoint) -> Report:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        made = trainer.fit(
            module, data.folds[fold], recipe=RECIPE, checkpoint=checkpoint, stop_asked=stop_asked,
            started_seconds=seconds[0],
        )  # fmt: skip
        seconds[0] = made.seconds
        return made

    return trained_folds(3, trainer.Checkpoint(path), 0.0, resumes, train)


def scores(report: Report) -> object:
    return report.folds, report.valid_accuracy, report.by_class, report.confusion, report.exits


def test_stopped_in_any_fold_it_goes_on_to_the_bit(thirds: Data, tmp_path: Path) -> None:
    whole = trained(thirds, tmp_path / "whole", lambda: False, resumes=False)
    assert whole.outcome == "done" and len(whole.folds) == 3
    steps = 2 * -(-len(thirds.train) // RECIPE.batch)  # of a fold
    for stop in (1, steps - 1, steps + 2, 2 * steps + 3):
        path = tmp_path / f"stopped-{stop}"
        begun = trained(thirds, path, after(stop), resumes=False)
        assert begun.outcome == "interrupted"
        told = trained(thirds, path, lambda: False, resumes=True)
        assert told.outcome == "done" and scores(told) == scores(whole)
        assert told.seconds > begun.seconds
        assert told.best_weights is not None and whole.best_weights is not None
        assert all(value.equal(whole.best_weights[name]) for name, value in told.best_weights.items())


def test_the_scores_are_means_and_every_image_is_validated_once(thirds: Data, tmp_path: Path) -> None:
    found = trained(thirds, tmp_path / "c", lambda: False, resumes=False)
    each = [fold["valid_accuracy"] or 0 for fold in found.folds]
    assert found.valid_accuracy == pytest.approx(sum(each) / 3) and len(set(each)) > 1
    assert sum(found.by_class["images"]) == len(thirds.train) + len(thirds.valid)
    assert found.confusion is not None
    hits = sum(row[k] for k, row in enumerate(found.confusion))
    weighed = sum(score * len(fold.valid) for score, fold in zip(each, thirds.folds, strict=True))
    assert hits == pytest.approx(weighed)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    module.load_state_dict(found.best_weights or {})
    assert trainer.evaluate(module, thirds.valid, thirds).accuracy == pytest.approx(each[0])


def test_a_study_of_folds_from_the_search_to_the_export(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    study = written(
        valid={"folds": 3},
        objectives={"accuracy": "maximize"},
        trials=3,
        workers=1,
        pruner="halving",
        train={"epochs": 2, "batch": 256},
        finale={"top": 1, "seeds": 2},
        budget={"device_time": "4m", "rungs": [1]},
    )
    ran = command("search", study, "--plain")
    assert ran.status == 0, ran.err
    assert "valid (the first of 3 folds of the train images)" in ran.out
    store = search.storage.study.open_to_read("tiny", tmp_path / "runs")
    done = [one for one in store.records() if one.outcome == "done"]
    for one in done:
        report = json.loads((store.trial_folder(one.number) / "report.json").read_text())
        each = [fold["valid_accuracy"] for fold in report["folds"]]
        assert len(each) == 3 and one.metrics["accuracy"] == pytest.approx(sum(each) / 3)
        assert one.folds["accuracy"] == each
        assert one.search_seconds >= report["seconds"] * report["charged_share"] - 0.01
    shown = command("best", "tiny").out.splitlines()
    assert "±" in shown[1]
    [best] = [one for one in done if one.finale and one.finale.measured]
    seeds = [store.seed_folder(best.number, seed) / "report.json" for seed in best.finale.measured]  # type: ignore[union-attr]
    for file in seeds:
        seed = json.loads(file.read_text())
        assert len(seed["folds"]) == 3
    info = json.loads((tmp_path / "runs" / "tiny" / "best" / "report.json").read_text())
    data = trainer.load("digits", folds=3)
    module, _ = search.load_export(tmp_path / "runs" / "tiny" / "best")
    ours = trainer.evaluate(module, data.valid, data)
    assert ours.accuracy == pytest.approx(info["training"]["folds"][0]["valid_accuracy"])
    assert info["accuracy"]["test"] == trainer.evaluate(module, data.test, data).accuracy
    card = (tmp_path / "runs" / "tiny" / "best" / "README.md").read_text()
    assert "mean over 3 folds" in card and "The weights are those of the first fold" in card


def test_a_fold_that_fails_fails_the_trial(thirds: Data, tmp_path: Path) -> None:
    whole = trained(thirds, tmp_path / "a", lambda: False, resumes=False)

    def train(fold: int, checkpoint: trainer.Checkpoint) -> Report:
        return replace(whole, folds=[], outcome="failed" if fold == 1 else "done")

    assert trained_folds(3, trainer.Checkpoint(tmp_path / "b"), 0.0, False, train).outcome == "failed"


TEXT = """genome: two
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 6}
  early: {op: exit, in: [stem], pool: flatten}
  body: {op: conv, in: [stem], kernel: 3, width: 8, stride: 2}
  out: {op: exit, in: [body], pool: flatten}
"""


class After(Event):
    """It is set from the moment at which it was asked so many times."""

    def __init__(self, asked: int) -> None:
        super().__init__()
        self._is_over = after(asked)

    def is_set(self) -> bool:
        return self._is_over()


def test_what_stops_early_is_the_first_fold_also_after_an_interruption(thirds: Data, tmp_path: Path) -> None:
    job = Job(
        number=0, genome=TEXT, digest="-", recipe=RECIPE, rungs=(), trial_seconds=None, left_seconds=None,
        charged_share=1.0, memory_bytes=None, predicted_bytes=1, latency=None, folder=str(tmp_path / "whole"),
        checkpoint_seconds=0.0, stops=StopTask(("expected_macs",), 0.005),
    )  # fmt: skip
    ours, theirs = Pipe()  # nobody reads: the messages fit into the pipe
    with ours, theirs:
        whole = run(job, WorkerContext(thirds, "cpu", ours, Event()))
        steps = 2 * -(-len(thirds.train) // RECIPE.batch)  # of a fold
        begun = job._replace(number=1, folder=str(tmp_path / "begun"))
        assert (
            run(begun, WorkerContext(thirds, "cpu", ours, After(steps + 2))).report.outcome == "interrupted"
        )
        again = job._replace(number=2, folder=str(tmp_path / "again"), earlier=(begun.folder,))
        told = run(again, WorkerContext(thirds, "cpu", ours, Event()))
    assert told.report.outcome == "done" and scores(told.report) == scores(whole.report)
    assert whole.stopped and told.stopped == whole.stopped
