"""Whole studies: real SQLite, real child processes, real digits."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import search
from search.cli.progress import Plain
from search.errors import StudyError
from search.run import rungs
from search.run.progress import Silent
from search.storage.record import UNFINISHED, Record
from search.study import Result
from tests.search.conftest import ONE

Run = Callable[..., Result]


def numbers(records: tuple[Record, ...]) -> list[int]:
    return [record.number for record in records]


def test_a_study_ends_with_its_best_network_on_disk(run: Run, tmp_path: Path) -> None:
    out = io.StringIO()
    result = run(Plain(out))
    assert numbers(result.records) == [0, 1, 2, 3, 4, 5]
    assert result.stop == "all 6 trials were made"
    assert {record.outcome for record in result.records} == {"done"}
    assert all(record.values and 0 < record.values[0] <= 1 for record in result.records)
    assert result.spent_seconds == pytest.approx(sum(r.seconds for r in result.records))
    assert out.getvalue().count("\ntrial ") == sum(r.reused is None for r in result.records)
    assert result.exported == tmp_path / "runs" / "tiny" / "best"
    info = json.loads((result.exported / "report.json").read_text())
    best = max((r for r in result.records), key=lambda r: (r.values or (0,))[0])
    assert info["accuracy"]["valid"] == (best.values or (0,))[0]
    assert 0 < info["accuracy"]["test"] <= 1
    again = run()
    assert again.records == result.records  # nothing is left to do, and nothing was done
    grown = run(trials=8)
    assert numbers(grown.records) == list(range(8))
    assert grown.records[:6] == result.records


def test_one_seed_one_study(run: Run, written: Callable[..., Path], tmp_path: Path) -> None:
    first = run(workers=1, trials=3, study="first")
    second = run(workers=1, trials=3, study="second")

    def reached(result: Result) -> list[object]:
        return [(r.digest, r.values, r.metrics["loss"]) for r in result.records]

    assert reached(first) == reached(second)


def test_every_network_has_a_seed_of_its_own(run: Run) -> None:
    result = run()
    seeds = {}
    for record in result.records:
        if record.outcome == "done" and record.reused is None:
            report = json.loads((result.folder / "trials" / str(record.number) / "report.json").read_text())
            seeds[record.digest] = report["recipe"]["seed"]
    assert len(set(seeds.values())) == len(seeds) > 1


def test_the_budget_is_spent_and_what_it_cut_is_kept(run: Run) -> None:
    endless = {"epochs": 100_000, "batch": 128, "precision": "fp32", "layout": "contiguous"}
    result = run(budget={"device_time": 3}, train=endless, trials=None)
    assert result.stop == "the budget is spent"
    assert 0.99 * 3 < result.spent_seconds < 60, "trials are told what is left, and a busy machine is late"
    cut = [record for record in result.records if record.outcome == "cut"]
    assert cut and all(record.kind == "purse" for record in cut)
    reached = [record for record in cut if record.epochs]
    assert reached and all(record.values for record in reached), "what a cut trial reached is kept"
    longer = run(budget={"device_time": 4}, train=endless, trials=None)
    # a trial drawn at the moment the budget ended may wait in the queue, and is trained next
    ended = [record for record in result.records if record.outcome not in UNFINISHED]
    assert [longer.records[record.number] for record in ended] == ended
    assert len(result.records) - len(ended) <= 2, "no more than one a slot"
    assert 0.99 * 4 < longer.spent_seconds < 60


def test_equal_networks_are_trained_once(run: Run) -> None:
    result = run(space=ONE, trials=12)
    trained = [record for record in result.records if record.reused is None]
    assert len(trained) == len({record.digest for record in result.records}) == 2
    for record in result.records:
        if record.reused is not None:
            twin = result.records[record.reused]
            assert (record.digest, record.values) == (twin.digest, twin.values)
            assert record.seconds == 0


def test_a_space_that_is_used_up_ends_the_study(run: Run) -> None:
    result = run(space=ONE, trials=None, budget={"device_time": "1h"})
    assert result.stop.startswith("the space holds 2 networks, and each has a trial")
    assert len(result.records) < 20


def test_limits_that_refuse_every_network_end_the_study(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.run.limits.FRUITLESS", 30)
    result = run(limits={"params": 60}, trials=None, budget={"device_time": "1h"})
    assert result.stop.startswith("30 trials in a row were refused, or equal to earlier ones")
    assert len(result.records) == 30


def test_limits_refuse_before_training(run: Run) -> None:
    sampler = {"name": "tpe", "seed": 0}  # it learns of a limit from what is refused
    result = run(limits={"params": 900}, trials=20, sampler=sampler)
    refused = [record for record in result.records if record.outcome == "refused"]
    trained = [record for record in result.records if record.outcome == "done"]
    assert refused and trained
    assert all(r.params is not None and r.params > 900 and r.seconds == 0 for r in refused)
    assert all(r.params is not None and r.params <= 900 for r in trained)
    assert refused[0].reason == f"params is {refused[0].params:,}; at most 900 is allowed"
    assert all(r.params is not None and r.params <= 900 for r in result.best)


def test_memory_is_foreseen(run: Run) -> None:
    result = run(budget={"memory": "2MB"}, trials=3)
    assert all(record.outcome == "refused" for record in result.records)
    assert result.records[0].reason and result.records[0].reason.startswith("budget.memory is ")
    assert result.best == () and result.exported is None


def test_a_network_that_diverges_is_an_outcome(run: Run) -> None:
    result = run(train={"epochs": 1, "lr": 1e30, "clip": None}, trials=2, objectives="accuracy")
    assert [(r.outcome, r.kind, r.values) for r in result.records] == [("failed", "not-finite", None)] * 2
    assert all(r.reason and "loss" in r.reason for r in result.records)


def test_trials_are_pruned_at_rungs(run: Run) -> None:
    result = run(
        objectives={"loss": "minimize"},
        budget={"rungs": [1, 2, 3]},
        pruner="halving",
        train={"epochs": 3, "batch": 512},
        trials=8,
        workers=1,
    )
    outcomes = [record.outcome for record in result.records]
    assert outcomes[:2] == ["done", "done"] and "pruned" in outcomes
    for record in result.records:
        if record.outcome == "pruned":
            last = max(record.rungs)
            earlier = [r.rungs[last] for r in result.records[: record.number] if last in r.rungs]
            assert record.rungs[last] < max(earlier)
            assert record.epochs == last < 3, "what is trained to the end is no longer pruned"


def test_latency_is_measured_where_it_is_asked_for(run: Run) -> None:
    result = run(objectives=["accuracy", "latency", "memory"], trials=2)
    for record in result.records:
        assert record.outcome == "done", record
        assert 0 < record.metrics["latency"] < 1
        assert record.values == tuple(record.metrics[n] for n in ("accuracy", "latency", "memory"))


def test_a_study_that_changed_is_refused_with_the_difference(run: Run) -> None:
    run(trials=1)
    with pytest.raises(StudyError) as error:
        run(trials=1, train={"epochs": 1, "batch": 128})
    said = str(error.value)
    assert "no longer the study tiny" in said
    assert said.endswith("\n  train.batch: 256 -> 128")
    with pytest.raises(
        StudyError, match=r"has the directions maximize, minimize in its storage and maximize"
    ):
        run(trials=1, objectives="accuracy")
    with pytest.raises(StudyError, match=r"train.epochs of study tiny was 2 and is 1 now; it may only grow"):
        run(trials=2, train={"epochs": 2, "batch": 256})
        run(trials=2)


def test_more_epochs_are_trained_anew(run: Run) -> None:
    run(space=ONE, trials=4)
    grown = run(space=ONE, trials=8, train={"epochs": 2, "batch": 256})
    later = [record for record in grown.records[4:] if record.reused is None]
    assert later and all(record.planned_epochs == 2 for record in later)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp", "qmc", "cmaes"])
def test_every_sampler_runs_a_study_with_limits(run: Run, sampler: str) -> None:
    objectives = {"accuracy": "maximize"} if sampler == "cmaes" else None
    changes = {"objectives": objectives} if objectives else {}
    result = run(sampler=sampler, limits={"params": 1500}, trials=14, **changes)
    assert len(result.records) == 14
    assert any(record.values for record in result.records)
    assert all(math.isfinite(value) for record in result.records for value in record.values or ())


def test_an_export_gives_the_logits_back(run: Run) -> None:
    import torch
    from safetensors.torch import load_file

    import genome

    result = run(trials=2)
    assert result.exported is not None
    module, info = search.load_export(result.exported)
    trial = result.folder / "trials" / str(info["trial"])
    original = genome.build(genome.load(trial / "genome.yaml"), seed=5)
    original.load_state_dict(load_file(trial / "weights.safetensors"))
    x = torch.rand(16, *info["input"])
    with torch.no_grad():
        assert torch.equal(module(x)[-1], original.eval()(x)[-1])
    weights = result.exported / "weights.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-5] ^= 1
    weights.write_bytes(flipped)
    with pytest.raises(StudyError, match=r"weights.safetensors was changed since it was exported"):
        search.load_export(result.exported)


class Followed(Silent):
    """Records the messages of each epoch."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, float]] = {}

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.rows.setdefault(number, {})[row["epoch"]] = row["valid_accuracy"]


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_the_curve_of_a_long_training_is_kept_while_it_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(rungs, "CURVE_SECONDS", seconds)
    told = Followed()
    result = run(told, trials=2, workers=1, train={"epochs": 3, "batch": 256})
    found = {record.number: dict(record.curve) for record in result.records}
    assert set(told.rows) == {0, 1} and all(list(rows) == [1, 2, 3] for rows in told.rows.values())
    assert found == (told.rows if seconds == 0.0 else {0: {}, 1: {}})
    assert all(record.to_json()["curve"].keys() <= {"1", "2", "3"} for record in result.records)
