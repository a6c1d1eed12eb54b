"""An interrupted trial goes on where it was, and is paid for once."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import genome
import trainer
from search.child import Bench, work
from search.lineage import clear
from search.messages import Job
from search.progress import Silent
from search.purse import charged
from search.record import CHECKPOINT_FILE, Record
from search.store import look
from search.study import Result
from tests.command import Command, commands
from tests.search.conftest import ONE
from trainer import Checkpoint, Recipe

EPOCHS = 40
TRAIN = {"epochs": EPOCHS, "batch": 64, "layout": "contiguous", "precision": "fp32"}
LONG = {"train": TRAIN, "trials": 1, "workers": 1, "space": ONE, "objectives": "accuracy"}
CODE = """
import search.jobs
from search.cli import main
search.jobs.CHECKPOINT_SECONDS = {seconds}
main()
"""

Run = Callable[..., Result]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """A function that starts `genome search` on a written study, in a session of its own."""
    with commands() as start:
        yield lambda path, checkpoint_seconds: start(
            "search", path, "--runs", tmp_path / "runs", code=CODE.format(seconds=checkpoint_seconds)
        )


class Told(Silent):
    """Keeps the epochs of each trial; at one of them it asks for a stop, as Ctrl-C does."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.epochs: dict[int, list[int]] = {}

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.epochs.setdefault(number, []).append(row["epoch"])
        if row["epoch"] == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def wait_for(found: Callable[[], Any], command: Command, seconds: float = 60.0) -> Any:
    """Wait until the function finds something, while the command runs."""
    limit = time.monotonic() + seconds
    while not (value := found()):
        assert command.poll() is None and time.monotonic() < limit, "it never came"
        time.sleep(0.02)
    return value


def kept(path: Path, epochs: int) -> dict[str, Any] | None:
    """The checkpoint, once it holds so many epochs."""
    state = Checkpoint(path).load()
    return state if state and state["progress"]["epochs"] >= epochs else None


def report_of(result: Result, record: Record) -> dict[str, Any]:
    text = (result.folder / "trials" / str(record.number) / "report.json").read_text()
    return dict(json.loads(text))


def checkpoints(result: Result) -> list[Path]:
    return [*result.folder.rglob(f"*{CHECKPOINT_FILE}*")]


@pytest.mark.slow
def test_killed_twice_it_goes_on_each_time_and_is_paid_once(
    start: Callable[..., Command], run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    trials = tmp_path / "runs" / "tiny" / "trials"
    states: list[dict[str, Any]] = []
    for number, epochs in ((0, 3), (1, 9)):
        command = start(written(**LONG), 0.1)
        wait_for(lambda: kept(trials / str(number) / CHECKPOINT_FILE, epochs), command)  # noqa: B023 - called at once
        command.kill()
        command.wait()
        time.sleep(0.2)  # its child ends with it, and may be writing
        state = kept(trials / str(number) / CHECKPOINT_FILE, epochs)
        assert state is not None
        states.append(state)
    told = Told()
    result = run(told, **LONG)
    first, second, third = result.records
    assert [r.outcome for r in result.records] == ["interrupted", "interrupted", "done"]
    assert (first.retry_of, second.retry_of, third.retry_of) == (None, 0, 1)
    assert told.epochs == {2: [*range(states[1]["progress"]["epochs"] + 1, EPOCHS + 1)]}
    report = report_of(result, third)
    assert [row["epoch"] for row in report["curve"]] == [*range(1, EPOCHS + 1)]
    # Paid: by each what it took, to the second that a kill may lose; nothing of it twice.
    carried = states[1]["seconds"]
    assert report["earlier_seconds"] == pytest.approx(carried)
    assert third.seconds == pytest.approx(report["seconds"] - carried)
    assert first.seconds > states[0]["seconds"] - 1.5
    assert second.seconds > states[1]["seconds"] - states[0]["seconds"] - 1.5
    assert result.spent_seconds == pytest.approx(sum(r.seconds for r in result.records))
    assert checkpoints(result) == []
    whole = run(**{**LONG, "study": "whole"})
    assert whole.records[0].digest == third.digest
    assert whole.records[0].metrics == third.metrics, "as if it had never been interrupted"


def test_ctrl_c_loses_no_second_of_a_short_trial(run: Run) -> None:
    stopped = run(Told(stop_at=5), **LONG)
    assert stopped.is_interrupted
    interrupted = stopped.records[0]
    assert interrupted.outcome == "interrupted" and len(checkpoints(stopped)) == 1
    told = Told()
    result = run(told, **LONG)
    assert result.records[0] == interrupted
    assert told.epochs[1][0] > 5 and told.epochs[1][-1] == EPOCHS
    report = report_of(result, result.records[1])
    assert interrupted.seconds + result.records[1].seconds == pytest.approx(report["seconds"], abs=1e-3)
    assert checkpoints(result) == []


def test_rungs_of_an_interrupted_trial_are_not_climbed_again(run: Run) -> None:
    changes = {**LONG, "budget": {"rungs": [1, 2, 30]}}
    run(Told(stop_at=5), **changes)
    result = run(**changes)
    assert set(result.records[0].rungs) == {1, 2}
    assert set(result.records[1].rungs) == {1, 2, 30}
    assert {e: s for e, s in result.records[1].rungs.items() if e < 30} == result.records[0].rungs


def test_a_child_that_died_is_not_gone_on_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.search.test_crash import KillsOnce

    monkeypatch.setattr("search.jobs.CHECKPOINT_SECONDS", 0.0)
    result = run(KillsOnce(signal.SIGKILL), **{**LONG, "trials": 2})
    assert [(r.outcome, r.retry_of) for r in result.records] == [("failed", None), ("done", None)]
    assert checkpoints(result) == []


def test_more_epochs_begin_an_interrupted_trial_afresh(run: Run) -> None:
    run(Told(stop_at=5), **LONG)
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
def bench() -> Iterator[Bench]:
    ours, theirs = Pipe()  # nobody reads: what is said fits into the pipe
    yield Bench(trainer.load("digits"), "cpu", ours, Event())
    theirs.close()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Repeats trial 0, which was interrupted in its second epoch after a hundred seconds."""
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
        latency=False,
        folder=str(tmp_path / "1"),
        checkpoint_seconds=15.0,
        earlier=(str(tmp_path / "0"),),
    )


def test_the_limit_of_a_trial_counts_both_and_the_purse_its_own(job: Job, bench: Bench) -> None:
    whole = work(job, bench)
    assert (whole["outcome"], whole["epochs"]) == ("done", 3)
    assert whole["seconds"] > 100 and 0 < charged(whole) < 20


def test_a_trial_that_goes_on_says_with_which_weights_it_began(
    job: Job, bench: Bench, tmp_path: Path
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


def test_what_the_trial_may_take_is_used_up(job: Job, bench: Bench) -> None:
    cut = work(job._replace(trial_seconds=99.0), bench)
    assert (cut["outcome"], cut["kind"], cut["epochs"]) == ("cut", "timeout", 1)
    assert cut["seconds"] > 100 and 0 <= charged(cut) < 5


def test_what_the_purse_has_left_is_used_up(job: Job, bench: Bench) -> None:
    many = Recipe(epochs=100_000, batch=256)
    spent = work(job._replace(recipe=many, earlier=(), left_seconds=0.3), bench)
    assert (spent["outcome"], spent["kind"]) == ("cut", "purse")
    assert spent["reason"] == f"the budget was spent after {spent['epochs']} of 100000 epochs"
    again = work(job._replace(left_seconds=20.0), bench)
    assert again["outcome"] == "done", "the seconds before are none of what is left"


@pytest.mark.parametrize("spoil", ["garbage", "empty", "recipe", "network", "state"])
def test_a_checkpoint_of_no_use_is_a_fresh_start_and_a_line_in_the_log(
    job: Job, bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    path = tmp_path / "0" / CHECKPOINT_FILE
    if spoil in ("garbage", "empty"):
        path.write_bytes(b"genome checkpoint 1\n..." if spoil == "garbage" else b"")
    elif spoil == "recipe":
        job = job._replace(recipe=Recipe(epochs=2, batch=256))
    elif spoil == "network":
        job = job._replace(genome=TEXT.replace("width: 4", "width: 6"))
    else:  # whole, and yet nothing that can be gone on from
        state = Checkpoint(path).load()
        assert state is not None
        Checkpoint(path).save({**state, "optimizer": {}})
    report = work(job, bench)
    assert report["outcome"] == "done" and report["earlier_seconds"] == 0
    assert [row["epoch"] for row in report["curve"]] == [*range(1, job.recipe.epochs + 1)]
    assert 0 < report["seconds"] < 50
    (line,) = [r.getMessage() for r in caplog.records if r.name == "search"]
    assert "begins afresh: " in line


def test_what_another_study_left_in_its_place_is_not_taken(job: Job, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "0").rename(tmp_path / "1")
    report = work(job._replace(earlier=()), bench)
    assert report["curve"][0]["epoch"] == 1 and report["seconds"] < 50


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
    result = run(Told(stop_at=5), **LONG)
    store = look("tiny", tmp_path / "runs")
    folder = store.trial_folder(0)
    (folder / f".{CHECKPOINT_FILE}.x1").write_bytes(b"half")
    (store.trial_folder(1)).mkdir()
    clear(store, Record(1, "done", retry_of=0))
    assert checkpoints(result) == []


# --- Ctrl-C in the middle of a long epoch


def write_images(path: Path, count: int) -> None:
    """Noise of 28x28 pixels in two classes."""
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


@pytest.mark.parametrize(
    "batch", [pytest.param(32, marks=pytest.mark.slow), 1024]
)  # a step of some 0.2 s, and of some 5 s
def test_ctrl_c_in_a_long_epoch_ends_the_study_within_seconds(
    start: Callable[..., Command], written: Callable[..., Path], tmp_path: Path, batch: int
) -> None:
    write_images(tmp_path / "many.npz", 20_000)
    changes = {"space": WIDE, "train": {"epochs": 3, "batch": batch}, "data": {"path": "many.npz"}}
    command = start(written(**{**LONG, **changes}), 15.0)
    runs = tmp_path / "runs"

    def is_training() -> bool:
        if not (runs / "tiny" / "study.db").exists():
            return False
        try:
            return any(r.outcome == "running" and r.seconds > 0.5 for r in look("tiny", runs).records())
        except Exception:  # its tables are being made
            return False

    wait_for(is_training, command)
    os.killpg(command.pid, signal.SIGINT)
    signalled = time.monotonic()
    command.wait(timeout=30)
    assert time.monotonic() - signalled < 10  # 5 on a machine with nothing else to do
    out, err = command.communicate(timeout=30)
    assert command.returncode == 130 and err == "" and "stopped by hand" in out
    records = look("tiny", runs).records()
    assert [(r.outcome, r.retry_of) for r in records] == [("interrupted", None), ("waiting", 0)]
    with sqlite3.connect(runs / "tiny" / "study.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    state = Checkpoint(runs / "tiny" / "trials" / "0" / CHECKPOINT_FILE).load()
    if batch == 32:
        assert state is not None and state["progress"]["epochs"] == 0 and state["progress"]["batches"] > 0
