"""An interrupted trial resumes where it was, and is charged once."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import genome
import trainer
from search.run.progress import Silent
from search.run.retries import clear
from search.storage.record import Record
from search.storage.study import open_to_read
from search.storage.trial_files import CHECKPOINT_FILE
from search.study import Result
from search.workers.messages import Job
from search.workers.trial import WorkerContext
from search.workers.trial import run as trained
from tests.command import PATIENCE_SECONDS, commands, members, until
from tests.search.conftest import ONE, charged, trials_in
from trainer import Checkpoint, Recipe

EPOCHS, STOP = 12, 5
TRAIN = {"epochs": EPOCHS, "batch": 64, "layout": "contiguous", "precision": "fp32"}
# A trial waits at its rung until the coordinator answers, however slow that is. Therefore a stop happens at the rung.
LONG = {
    "train": TRAIN,
    "trials": 1,
    "workers": 1,
    "space": ONE,
    "objectives": "accuracy",
    "budget": {"rungs": [STOP]},
}
PATIENT = """
import search.run.jobs, search.run.loop
from search.cli.app import main
search.run.jobs.CHECKPOINT_SECONDS, search.run.loop.HALT_SECONDS = 0.1, 60.0
main()
"""
KILLED = """
import os, signal, sys
import search.run.jobs
from search.run.progress import Silent
from search.study import Study

class Killed(Silent):
    def epoch(self, number, row, epochs):
        if row["epoch"] == int(sys.argv[3]):  # its child waits at this rung
            os.kill(os.getpid(), signal.SIGKILL)

search.run.jobs.CHECKPOINT_SECONDS = 0.0
Study.load(sys.argv[1], sys.argv[2]).run(Killed())
"""

Run = Callable[..., Result]


class Told(Silent):
    """Records the epochs of each trial; at one of them, asks for a stop, as Ctrl-C does."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.epochs: dict[int, list[int]] = {}

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.epochs.setdefault(number, []).append(row["epoch"])
        if row["epoch"] == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def report_of(result: Result, record: Record) -> dict[str, Any]:
    text = (result.folder / "trials" / str(record.number) / "report.json").read_text()
    return dict(json.loads(text))


def checkpoints(result: Result) -> list[Path]:
    return [*result.folder.rglob(f"*{CHECKPOINT_FILE}*")]


@pytest.mark.slow
def test_killed_twice_it_goes_on_each_time_and_is_paid_once(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    trials, changes = tmp_path / "runs" / "tiny" / "trials", {**LONG, "budget": {"rungs": [3, 9]}}
    states, noted = [], []
    for number, epochs in ((0, 3), (1, 9)):
        with commands(False) as start:
            command = start(written(**changes), tmp_path / "runs", epochs, code=KILLED)
            command.communicate(timeout=PATIENCE_SECONDS)
        assert command.returncode == -signal.SIGKILL
        until(lambda: not members(command.pid))  # noqa: B023 - called at once
        state = Checkpoint(trials / str(number) / CHECKPOINT_FILE).load()
        assert state is not None and state["progress"]["epochs"] == epochs
        states.append(state)
        noted.append(trials_in(tmp_path / "runs")[number].seconds)
    told = Told()
    result = run(told, **changes)
    first, second, third = result.records
    assert [r.outcome for r in result.records] == ["interrupted", "interrupted", "done"]
    assert (first.retry_of, second.retry_of, third.retry_of) == (None, 0, 1)
    assert told.epochs == {2: [*range(states[1]["progress"]["epochs"] + 1, EPOCHS + 1)]}
    report = report_of(result, third)
    assert [row["epoch"] for row in report["curve"]] == [*range(1, EPOCHS + 1)]
    # Charges: of each earlier trial, what was metered; of the last, the remaining time; no time is charged twice.
    carried = states[1]["seconds"]
    assert report["earlier_seconds"] == pytest.approx(carried)
    assert third.seconds == pytest.approx(report["seconds"] - carried, abs=1e-5)
    assert [first.seconds, second.seconds] == pytest.approx(noted, abs=1e-5) and sum(noted) > 0
    assert result.spent_seconds == pytest.approx(sum(r.seconds for r in result.records))
    assert checkpoints(result) == []
    whole = run(**{**changes, "study": "whole"})
    assert whole.records[0].digest == third.digest
    assert whole.records[0].metrics == third.metrics, "as if it had never been interrupted"


def test_ctrl_c_loses_no_second_of_a_short_trial(run: Run) -> None:
    stopped = run(Told(stop_at=STOP), **LONG)
    assert stopped.is_interrupted
    interrupted = stopped.records[0]
    assert interrupted.outcome == "interrupted" and len(checkpoints(stopped)) == 1
    told = Told()
    result = run(told, **LONG)
    assert result.records[0] == interrupted
    assert told.epochs == {1: [*range(STOP + 1, EPOCHS + 1)]}
    report = report_of(result, result.records[1])
    assert interrupted.seconds + result.records[1].seconds == pytest.approx(report["seconds"], abs=1e-3)
    assert checkpoints(result) == []


def test_rungs_of_an_interrupted_trial_are_not_climbed_again(run: Run) -> None:
    changes = {**LONG, "budget": {"rungs": [1, STOP, 9]}}
    run(Told(stop_at=STOP), **changes)
    result = run(**changes)
    assert set(result.records[0].rungs) == {1, STOP}
    assert set(result.records[1].rungs) == {1, STOP, 9}
    assert {e: s for e, s in result.records[1].rungs.items() if e < 9} == result.records[0].rungs


def test_a_child_that_died_is_gone_on_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.search.run.test_crash import Kills

    monkeypatch.setattr("search.run.jobs.CHECKPOINT_SECONDS", 0.0)
    kills = Kills(at=STOP)
    result = run(kills, **LONG)
    assert [(r.outcome, r.retry_of, r.epochs) for r in result.records] == [("done", None, EPOCHS)]
    again = kills.epochs.index(STOP) + 1
    assert 1 < kills.epochs[again] <= STOP + 1 and kills.epochs[-1] == EPOCHS
    assert checkpoints(result) == []


def test_more_epochs_begin_an_interrupted_trial_afresh(run: Run) -> None:
    run(Told(stop_at=STOP), **LONG)
    told = Told()
    result = run(told, **{**LONG, "train": {**TRAIN, "epochs": EPOCHS + 1}})
    assert result.records[1].outcome == "done"
    assert told.epochs == {1: [*range(1, EPOCHS + 2)]}


# --- the child alone

TEXT = """genome: small
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 4}
  out: {op: exit, in: [stem]}
"""
RECIPE = Recipe(epochs=3, batch=256)


@pytest.fixture
def bench() -> Iterator[WorkerContext]:
    ours, theirs = Pipe()  # nobody reads: the messages fit into the pipe
    yield WorkerContext(trainer.load("digits"), "cpu", ours, Event())
    theirs.close()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that repeats trial 0, which was interrupted in its second epoch after a hundred seconds."""
    left = iter([False] * 7)
    trainer.fit(
        genome.build(genome.loads(TEXT), seed=RECIPE.seed),
        trainer.load("digits"),
        recipe=RECIPE,
        checkpoint=Checkpoint(tmp_path / "0" / CHECKPOINT_FILE),
        stop_asked=lambda: next(left, True),
        started_seconds=100.0,
    )
    return Job(
        number=1,
        genome=TEXT,
        digest="-",
        recipe=RECIPE,
        rungs=(),
        trial_seconds=None,
        left_seconds=None,
        charged_share=1.0,
        memory_bytes=None,
        predicted_bytes=1,
        latency=None,
        folder=str(tmp_path / "1"),
        checkpoint_seconds=15.0,
        earlier=(str(tmp_path / "0"),),
    )


def work(job: Job, bench: WorkerContext) -> dict[str, Any]:
    """Do a job; return its report in the form of report.json."""
    return trained(job, bench).to_json()


def test_the_limit_of_a_trial_counts_both_and_the_purse_its_own(job: Job, bench: WorkerContext) -> None:
    whole = work(job, bench)
    assert (whole["outcome"], whole["epochs"]) == ("done", 3)
    assert whole["seconds"] > 100 > charged(whole) > 0


def test_a_trial_that_goes_on_says_with_which_weights_it_began(
    job: Job, bench: WorkerContext, tmp_path: Path
) -> None:
    parent = job._replace(number=5, folder=str(tmp_path / "5"), earlier=())
    assert work(parent, bench)["inherited"] is None
    heir = job._replace(number=6, folder=str(tmp_path / "6"), earlier=(), parent=parent.folder)
    bench.halted.set()
    begun = work(heir, bench)
    bench.halted.clear()
    assert begun["outcome"] == "interrupted"
    again = job._replace(number=7, folder=str(tmp_path / "7"), earlier=(heir.folder,), parent=parent.folder)
    assert work(again, bench)["inherited"] == {"from": 5, "share": 1.0}
    scratch = work(job._replace(parent=parent.folder), bench)
    assert scratch["seconds"] > 100 and scratch["inherited"] is None, "its checkpoint was begun from scratch"


def test_what_the_trial_may_take_is_used_up(job: Job, bench: WorkerContext) -> None:
    cut = work(job._replace(trial_seconds=99.0), bench)
    assert (cut["outcome"], cut["kind"], cut["epochs"]) == ("cut", "timeout", 1)
    assert cut["seconds"] > 100 > charged(cut) >= 0


def test_the_limit_is_said_in_device_seconds_as_in_the_study_file(job: Job, bench: WorkerContext) -> None:
    """Two slots share a device: 0.2 s of it are 0.4 s on each slot."""
    many = job._replace(recipe=Recipe(epochs=100_000, batch=256), earlier=())
    cut = work(many._replace(trial_seconds=0.4, charged_share=0.5), bench)
    assert cut["reason"] == f"per_trial of 0.2 s was used up after {cut['epochs']} of 100000 epochs"


def test_what_the_purse_has_left_is_used_up(job: Job, bench: WorkerContext) -> None:
    many = Recipe(epochs=100_000, batch=256)
    spent = work(job._replace(recipe=many, earlier=(), left_seconds=0.3), bench)
    assert (spent["outcome"], spent["kind"]) == ("cut", "purse")
    assert spent["reason"] == f"the budget was spent after {spent['epochs']} of 100000 epochs"
    again = work(job._replace(left_seconds=99.0), bench)
    assert again["outcome"] == "done", "the seconds before are none of what is left"


@pytest.mark.parametrize("spoil", ["garbage", "empty", "recipe", "network", "state"])
def test_a_checkpoint_of_no_use_is_a_fresh_start_and_a_line_in_the_log(
    job: Job, bench: WorkerContext, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    path = tmp_path / "0" / CHECKPOINT_FILE
    if spoil in ("garbage", "empty"):
        path.write_bytes(b"genome checkpoint 1\n..." if spoil == "garbage" else b"")
    elif spoil == "recipe":
        job = job._replace(recipe=Recipe(epochs=2, batch=256))
    elif spoil == "network":
        job = job._replace(genome=TEXT.replace("width: 4", "width: 6"))
    else:  # a whole file that no training can resume from
        state = Checkpoint(path).load()
        assert state is not None
        Checkpoint(path).save({**state, "optimizer": {}})
    report = work(job, bench)
    assert report["outcome"] == "done" and report["earlier_seconds"] == 0
    assert [row["epoch"] for row in report["curve"]] == [*range(1, job.recipe.epochs + 1)]
    assert 0 < report["seconds"] < 100
    (line,) = [r.getMessage() for r in caplog.records if r.name == "search"]
    assert "starts from scratch: " in line


def test_what_another_study_left_in_its_place_is_not_taken(
    job: Job, bench: WorkerContext, tmp_path: Path
) -> None:
    (tmp_path / "0").rename(tmp_path / "1")
    report = work(job._replace(earlier=()), bench)
    assert report["curve"][0]["epoch"] == 1 and report["seconds"] < 100


def test_a_checkpoint_that_cannot_be_written_ends_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    checkpoint = Checkpoint(tmp_path / CHECKPOINT_FILE, every_seconds=0.0)
    module, data = genome.build(genome.loads(TEXT)), trainer.load("digits")
    assert trainer.fit(module, data, recipe=RECIPE, checkpoint=checkpoint).outcome == "done"
    assert "is not written: [Errno 28] No space left on device" in caplog.text


def test_clearing_takes_half_written_checkpoints_of_the_whole_line(run: Run, tmp_path: Path) -> None:
    result = run(Told(stop_at=STOP), **LONG)
    store = open_to_read("tiny", tmp_path / "runs")
    folder = store.trial_folder(0)
    (folder / f".{CHECKPOINT_FILE}.x1").write_bytes(b"half")
    (store.trial_folder(1)).mkdir()
    clear(store, Record(1, "done", retry_of=0))
    assert checkpoints(result) == []


# --- Ctrl-C in the middle of a long epoch


def write_images(path: Path, count: int) -> None:
    """Write noise of 28x28 pixels in two classes."""
    chance = np.random.default_rng(0)
    x = chance.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    y = np.arange(count) % 2
    np.savez(path, train_x=x, train_y=y, test_x=x[:20], test_y=y[:20])


WIDE = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [3]}, "width": 32},
        "body": {"op": "conv", "in": ["stem"], "kernel": 7, "width": 32},
        "out": {"op": "exit", "in": ["body"]},
    }
}


@pytest.mark.slow
def test_ctrl_c_in_a_long_epoch_keeps_the_steps_that_were_done(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    write_images(tmp_path / "many.npz", 20_000)
    changes = {"space": WIDE, "train": {"epochs": 3, "batch": 32}, "data": {"path": "many.npz"}}
    checkpoint = Checkpoint(tmp_path / "runs" / "tiny" / "trials" / "0" / CHECKPOINT_FILE)
    with commands(False) as start:
        study = written(**{**LONG, **changes, "budget": None})
        command = start("search", study, "--runs", tmp_path / "runs", code=PATIENT)
        until(checkpoint.load, command)
        os.killpg(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 130 and err == "" and "stopped by hand" in out
    records = trials_in(tmp_path / "runs")
    assert [(r.outcome, r.retry_of) for r in records] == [("interrupted", None), ("waiting", 0)]
    state = checkpoint.load()
    assert state is not None and state["progress"]["epochs"] == 0 and state["progress"]["batches"] > 0
