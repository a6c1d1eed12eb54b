"""Trials that pause at a rung: they resume from there, are charged once, and survive a kill of the coordinator."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.config.study import StudyConfig
from search.run.progress import Silent
from search.run.recovery import Recovered
from search.storage.record import Record
from search.storage.study import Store
from search.storage.trial_files import CHECKPOINT_FILE
from search.study import Result
from tests.command import PATIENCE_SECONDS, commands, members, until
from tests.search.conftest import ONE, charged, trials_in

EPOCHS = 9
TRAIN = {"epochs": EPOCHS, "batch": 256, "layout": "contiguous", "precision": "fp32"}
ASHA: dict[str, Any] = {"pruner": "asha", "objectives": {"loss": "minimize"}, "train": TRAIN, "trials": 9}

Run = Callable[..., Result]


class Told(Silent):
    """Records the epochs of each trial, across several runs; may ask for a stop when so many trials have paused."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.epochs: dict[int, list[int]] = {}
        self.pauses: list[int] = []
        self.stop_at = stop_at
        self.recovered = Recovered((), ())

    def opened(
        self, file: StudyConfig, store: Store, recovered: Recovered, spent: float, places: Any
    ) -> None:
        self.recovered = recovered

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.epochs.setdefault(number, []).append(row["epoch"])

    def paused(self, number: int) -> None:
        self.pauses.append(number)
        if len(self.pauses) == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def report_of(result: Result, record: Record) -> dict[str, Any]:
    text = (result.folder / "trials" / str(record.number) / "report.json").read_text()
    return dict(json.loads(text))


def check_paid_once(result: Result) -> None:
    """Check that every finished report accounts for its trial's charge, and the study for the sum of the charges."""
    for record in result.records:
        if record.outcome in ("done", "cut"):
            assert record.seconds == pytest.approx(charged(report_of(result, record)), abs=1e-5)
    assert result.spent_seconds == pytest.approx(sum(record.seconds for record in result.records))


def checkpoints(folder: Path) -> list[Path]:
    return [*folder.rglob(f"*{CHECKPOINT_FILE}*")]


def test_the_best_third_goes_on_from_where_it_paused(run: Run) -> None:
    told = Told()
    result = run(told, **ASHA)
    assert result.stop == "all 9 trials were made"
    reached = [record.epochs for record in result.records]
    assert sorted(set(reached)) == [1, 3, 9] and reached.count(1) >= 2
    for record in result.records:
        assert told.epochs[record.number] == [*range(1, (record.epochs or 0) + 1)], (
            "each epoch is trained once"
        )
        assert record.outcome == ("done" if record.epochs == EPOCHS else "pruned")
        assert set(record.rungs) == {rung for rung in (1, 3) if rung <= (record.epochs or 0)}
    first = sorted(result.records, key=lambda r: r.rungs[1], reverse=True)
    assert all((record.epochs or 0) > 1 for record in first[:3])
    assert told.pauses and checkpoints(result.folder) == []
    check_paid_once(result)
    for record in result.records:
        if record.outcome == "done":
            report = report_of(result, record)
            assert [row["epoch"] for row in report["curve"]] == [*range(1, EPOCHS + 1)]
            assert record.seconds == pytest.approx(report["seconds"] / 2, rel=0.01), "of two slots"


def test_a_trial_that_paused_ends_as_if_it_never_had(run: Run) -> None:
    result = run(**{**ASHA, "trials": 4, "workers": 1})
    whole = run(**{**ASHA, "trials": 4, "workers": 1, "study": "whole", "pruner": "none"})
    done = [record for record in result.records if record.outcome == "done"]
    assert done
    for record in done:
        twin = whole.records[record.number]
        assert (twin.digest, twin.metrics) == (record.digest, record.metrics)


def test_one_trial_alone_is_trained_to_the_end(run: Run) -> None:
    result = run(**{**ASHA, "trials": 1})
    assert [record.outcome for record in result.records] == ["done"] and result.exported is not None


def test_equals_of_a_paused_trial_are_not_trained(run: Run) -> None:
    told = Told()
    result = run(told, **{**ASHA, "space": ONE, "trials": 12})
    trained = [record for record in result.records if record.reused is None]
    assert len(trained) == 2 and sorted(told.epochs) == sorted(record.number for record in trained)
    assert {record.outcome for record in result.records} <= {"done", "pruned"}
    assert any(record.outcome == "done" for record in trained)


@pytest.mark.slow
def test_the_purse_is_spent_and_the_best_is_trained_in_full(run: Run) -> None:
    result = run(
        objectives="accuracy",
        pruner="hyperband",
        train=TRAIN,
        trials=None,
        budget={"device_time": "8s"},
    )
    assert result.stop == "the budget is spent"
    assert 0.5 * 8 < result.spent_seconds < 60, "what is left for no whole training goes to the best"
    assert any(record.outcome == "done" for record in result.records) and result.exported is not None
    assert checkpoints(result.folder) == []
    check_paid_once(result)


def test_ctrl_c_leaves_paused_trials_paused_and_the_next_run_takes_them_up(run: Run) -> None:
    told = Told(stop_at=3)
    stopped = run(told, **ASHA)
    paused = [record for record in stopped.records if record.outcome == "paused"]
    assert stopped.is_interrupted and len(paused) >= 1
    assert len(checkpoints(stopped.folder)) >= len(paused)
    told.stop_at = None
    result = run(told, **ASHA)
    for record in paused:
        after = result.records[record.number]
        assert after.outcome in ("pruned", "done") and after.seconds >= record.seconds
        assert told.epochs[record.number] == [*range(1, (after.epochs or 0) + 1)]
    assert not any(record.outcome in ("paused", "running", "waiting") for record in result.records)
    assert sum(record.is_counted for record in result.records) == 9
    assert checkpoints(result.folder) == []
    check_paid_once(result)


def test_more_epochs_begin_a_paused_trial_afresh(run: Run) -> None:
    changes = {**ASHA, "budget": {"rungs": [2]}, "trials": 4}
    stopped = run(Told(stop_at=1), **changes)
    paused = {record.number for record in stopped.records if record.outcome == "paused"}
    assert paused
    told = Told()
    result = run(told, **{**changes, "train": {**TRAIN, "epochs": 12}})
    retried = [record for record in result.records if record.retry_of in paused]
    assert len(retried) == len(paused) and all(told.epochs[record.number][0] == 1 for record in retried)


def test_kill_9_among_paused_trials_loses_none_of_them(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    changes = {**ASHA, "trials": 8}
    before = killed_when_paused(written(**changes), tmp_path / "runs")
    paused = [record for record in before if record.outcome == "paused"]
    running = [record for record in before if record.outcome == "running"]
    assert len(paused) >= 2
    told = Told()
    result = run(told, **changes)
    after = result.records
    for record in paused:
        now = after[record.number]
        assert now.outcome in ("pruned", "done") and now.seconds >= record.seconds
        more = told.epochs.get(record.number, [])
        assert more == [*range((record.epochs or 0) + 1, (now.epochs or 0) + 1)], (
            "from its rung on, or not at all"
        )
        assert now.seconds == record.seconds or more
    retried = {record.retry_of: record for record in after if record.retry_of is not None}
    # A trial whose child wrote its report just before the kill is finished from the report; other trials run again.
    assert {*told.recovered.finished, *told.recovered.again} == {record.number for record in running}
    assert {*retried} == {*told.recovered.again}
    assert all(after[number].outcome == "interrupted" for number in retried)
    assert sum(record.is_counted for record in after) == 8, "nothing is lost, and nothing counted twice"
    digests = [record.digest for record in after if record.is_counted and record.reused is None]
    assert len(digests) == len(set(digests))
    check_paid_once(result)
    assert checkpoints(result.folder) == []


KILLED = """
import os, signal, sys
from search.run.progress import Silent
from search.study import Study

class Killed(Silent):
    pauses = 0

    def paused(self, number):
        self.pauses += 1
        if self.pauses == 4:
            os.kill(os.getpid(), signal.SIGKILL)

Study.load(sys.argv[1], sys.argv[2]).run(Killed())
"""


def killed_when_paused(path: Path, runs: Path) -> list[Record]:
    """Run a study whose coordinator is killed when trials have paused four times; return the stored trials."""
    with commands() as start:
        command = start(path, runs, code=KILLED)
        command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == -signal.SIGKILL
    until(lambda: not members(command.pid))
    return trials_in(runs)


def test_a_curve_that_leads_nowhere_ends_its_trial(run: Run) -> None:
    space = {
        "nodes": {
            "stem": {
                "op": "conv",
                "in": ["image"],
                "kernel": 3,
                "width": {"one_of": [1, 2, *range(12, 24, 2)]},
            },
            "out": {"op": "exit", "in": ["stem"]},
        }
    }
    result = run(
        objectives={"loss": "minimize"},
        space=space,
        pruner={"name": "none", "curve": True},
        sampler={"name": "random", "seed": 2},  # the narrow networks come after five wide ones
        train={**TRAIN, "batch": 24},
        trials=8,
        workers=1,
    )
    ended = [record for record in result.records if record.outcome == "pruned" and record.reused is None]
    assert ended and all(0 < (record.epochs or 0) < EPOCHS for record in ended)
    done = [record for record in result.records if record.outcome == "done" and record.reused is None]
    assert len(done) >= 5
    assert max(max(r.rungs.values()) for r in ended) < max(r.rungs[EPOCHS] for r in done)
