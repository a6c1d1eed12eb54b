"""What a study survives: kill -9 of the coordinator, Ctrl-C, a killed child process, a child process that hangs."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.config.study import StudyConfig
from search.errors import StudyError
from search.run.loop import charged_seconds
from search.run.ownership import left_by_a_kill
from search.run.progress import Silent
from search.run.recovery import Recovered
from search.storage.record import RETRY_OF, Record
from search.storage.study import Store, open_to_read, open_to_write
from search.storage.trial_report import stored_report
from search.study import Result, Study
from search.workers.local import prepare
from search.workers.messages import Died, Finished, Job, Setup
from search.workers.pool import worker_pool
from tests.command import PATIENCE_SECONDS, Command, commands, frozen, killed, members, until
from tests.search.conftest import Said, process_of, trials_in
from trainer import Recipe
from trainer.system.processes import start_method

LONG = {"trials": 60}
# weights of 2 MB, which is more than the storage of a trial takes
HEAVY = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 1, "stride": 8, "width": 8},
        "s1": {"op": "conv", "in": ["stem"], "width": {"one_of": [200, 201]}},
        "s2": {"op": "conv", "in": ["s1"], "width": 300},
        "out": {"op": "exit", "in": ["s2"]},
    },
}
SMALL_FILES = """
import resource, sys
from search.cli.app import main
most = int(sys.argv.pop())
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))  # the system refuses what is larger
main()
"""


def training(epochs: int) -> dict[str, Any]:
    return {"epochs": epochs, "batch": 32, "compile": "never"}  # to compile a long training takes a minute


@pytest.fixture
def started(tmp_path: Path, written: Callable[..., Path]) -> Iterator[Callable[..., Command]]:
    """A function that starts `genome search` on a long study, in its own session."""
    with commands() as start:
        yield lambda epochs=6: start(
            "search",
            written(**LONG, train=training(epochs)),
            "--runs",
            tmp_path / "runs",
        )


def read_until(process: Command, word: str) -> None:
    """Read the command's lines up to one that begins with `word`."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return
    assert process.stderr is not None
    raise AssertionError(f"no line {word!r}: {process.stderr.read()}")


class StopsAfterRetries(Silent):
    """Asks for a stop, as Ctrl-C does, when every interrupted trial has been repeated."""

    def opened(
        self, file: StudyConfig, store: Store, recovered: Recovered, spent: float, places: Any
    ) -> None:
        self.recovered, self.left = recovered, len(recovered.again)
        self.stop_if_done()

    def ended(self, record: Record, spent: float) -> None:
        self.left -= record.retry_of is not None
        self.stop_if_done()

    def stop_if_done(self) -> None:
        if self.left == 0:
            self.left = -1
            os.kill(os.getpid(), signal.SIGINT)


def test_kill_9_loses_nothing_that_was_finished(started: Callable[..., Command], tmp_path: Path) -> None:
    runs, path = tmp_path / "runs", tmp_path / "tiny.yaml"

    def are_metered() -> bool:
        """Whether two trials run, and both were charged something."""
        running = [record for record in trials_in(runs) if record.outcome == "running"]
        return len(running) == 2 and all(record.seconds > 0 for record in running)

    command = started()
    read_until(command, "trial ")
    frozen(command, are_metered)
    with pytest.raises(
        StudyError, match=rf"study tiny is being run by process {command.pid} on .*; wait for that run to end"
    ):
        Study.load(path, runs).run()
    with closing(open_to_read("tiny", runs)) as store:
        assert left_by_a_kill(store, store.records()) == ""
    killed(command)
    # Read only now: a transaction that was frozen between its write to SQLite's log and to the index of the log, which
    # readers go by, is seen after the kill and not before. It ends one of the two trials at most.
    before = trials_in(runs)
    finished = [record for record in before if record.is_counted]
    running = [record for record in before if record.outcome == "running"]
    assert finished and running
    with closing(open_to_read("tiny", runs)) as store:
        left = "1 training" if len(running) == 1 else f"{len(running)} trainings"
        assert f"the last was killed in {left}" in left_by_a_kill(store, before)

    progress = StopsAfterRetries()
    result = Study.load(path, runs).run(progress)
    after = [record for record in result.records if record.outcome != "waiting"]
    assert result.is_interrupted and result.exported is None
    assert [record.number for record in after] == list(range(len(after)))
    assert [after[record.number] for record in finished] == finished
    # A trial whose child wrote its report just before the kill is finished from the report; other trials run again.
    assert {*progress.recovered.finished, *progress.recovered.again} == {record.number for record in running}
    again = [record for record in running if record.number in progress.recovered.again]
    retried = {record.retry_of: record for record in after if record.retry_of is not None}
    assert set(retried) == set(progress.recovered.again)
    for record in again:
        assert after[record.number].outcome == "interrupted"
        assert after[record.number].seconds == record.seconds, "what was metered stays charged"
        assert record.digest in (None, retried[record.number].digest)
        assert retried[record.number].outcome == "done"
    assert result.spent_seconds == pytest.approx(sum(record.seconds for record in after))


def in_training(runs: Path) -> list[int]:
    """Return the trials that a child process is training."""
    return [record.number for record in trials_in(runs) if record.outcome == "running" and record.seconds > 0]


def test_ctrl_c_keeps_the_state_and_says_how_to_go_on(
    run: Callable[..., Result], started: Callable[..., Command], tmp_path: Path
) -> None:
    run(trials=1, train=training(1))
    command = started(epochs=100_000)  # no trial reaches its end
    until(lambda: in_training(tmp_path / "runs"), command)
    os.killpg(command.pid, signal.SIGINT)  # a terminal sends the signal to the whole group
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 130
    assert err == ""
    assert "stopped by hand" in out and "accuracy" in out
    assert f"resume with: genome search {tmp_path / 'tiny.yaml'} --runs {tmp_path / 'runs'}" in out
    until(lambda: not members(command.pid))
    records = trials_in(tmp_path / "runs")
    interrupted = [record.number for record in records if record.outcome == "interrupted"]
    waiting = [record.retry_of for record in records if record.outcome == "waiting"]
    assert interrupted and waiting == interrupted
    assert records[0].outcome == "done" and not any(record.outcome == "running" for record in records)


def test_ctrl_c_does_not_wait_for_a_child_that_is_busy(
    started: Callable[..., Command], tmp_path: Path
) -> None:
    command = started(epochs=100_000)
    until(lambda: in_training(tmp_path / "runs"), command)
    processes = members(command.pid)
    children = [child for child, parent in processes.items() if parent in processes and parent != command.pid]
    for child in children:
        os.kill(child, signal.SIGSTOP)  # as in a step that never ends
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 130 and err == "" and "stopped by hand" in out
    records = trials_in(tmp_path / "runs")
    interrupted = [record.number for record in records if record.outcome == "interrupted"]
    assert interrupted and interrupted == [r.retry_of for r in records if r.outcome == "waiting"]
    with sqlite3.connect(tmp_path / "runs" / "tiny" / "study.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


class Kills(Silent):
    """Kills the children after an epoch, in which they wait at a rung."""

    def __init__(self, number: int = signal.SIGKILL, times: int = 1, at: int = 1) -> None:
        self.signal = number
        self.left = times
        self.at = at
        self.epochs = list[int]()
        self.lines = list[str]()

    def said(self, line: str) -> None:
        self.lines.append(line)

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.epochs.append(row["epoch"])
        if self.left and row["epoch"] == self.at:
            self.left -= 1
            for child in multiprocessing.active_children():
                assert child.pid is not None
                os.kill(child.pid, self.signal)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "killed by signal 9, SIGKILL (out of memory?)"),
        (signal.SIGSEGV, "killed by signal 11, SIGSEGV (a crash in native code)"),
    ],
)
def test_a_trial_whose_worker_is_killed_is_retried_once(
    run: Callable[..., Result], number: int, reason: str
) -> None:
    changes = {"train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}}
    kills = Kills(number)
    result = run(kills, trials=2, workers=1, **changes)
    assert [(r.outcome, r.retry_of) for r in result.records] == [("done", None)] * 2
    assert kills.lines.count(f"trial 0: the worker died, {reason}; it is trained again") == 1
    first = result.records[0]
    trained = stored_report(result.folder / "trials" / "0", first.digest, 0)
    assert trained and trained.charge.paid_seconds > 0, "what the killed one cost stays charged"
    assert first.seconds == round(trained.charge.device_seconds, 6)


def test_a_trial_whose_worker_is_killed_twice_has_failed(run: Callable[..., Result]) -> None:
    changes = {"train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}}
    first, other = run(Kills(times=2), trials=2, workers=1, **changes).records
    reason = "killed by signal 9, SIGKILL (out of memory?)"
    assert (first.outcome, first.kind, first.reason, first.values) == ("failed", "killed", reason, None)
    assert first.seconds > 0 and other.outcome == "done"


def test_a_child_leaves_a_sigterm_to_the_coordinator(run: Callable[..., Result]) -> None:
    changes = {"train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}}
    result = run(Kills(signal.SIGTERM), trials=2, workers=1, **changes)
    assert {record.outcome for record in result.records} == {"done"}


class StopsAndKills(Silent):
    """Asks for a stop, as Ctrl-C does, and kills the children, which wait at a rung, as a batch system does later."""

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for child in multiprocessing.active_children():
            child.kill()


def test_a_child_that_is_killed_while_the_run_ends_was_interrupted(run: Callable[..., Result]) -> None:
    changes = {"train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}, "workers": 1, "trials": 1}
    stopped = run(StopsAndKills(), **changes)
    assert [(r.outcome, r.retry_of) for r in stopped.records] == [("interrupted", None), ("waiting", 0)]
    assert stopped.records[0].seconds > 0
    assert [r.outcome for r in run(**changes).records] == ["interrupted", "done"]


def test_parameters_of_an_interrupted_trial_are_queued_once(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    run(trials=2)
    with open_to_write("tiny", tmp_path / "runs") as store:
        trial = store.study.ask()
        trial.suggest_int("stem.width", 4, 16)
        # as after a kill between queueing the retry and settling the trial
        store.study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
    result = run(trials=4)
    again = [record for record in result.records if record.retry_of == trial.number]
    assert len(again) == 1
    assert result.records[trial.number].outcome == "interrupted"


def test_a_name_that_is_not_utf_8_is_a_sentence(command: Callable[..., Said], tmp_path: Path) -> None:
    images = os.fsdecode(b"caf\xe9.npz")
    x, y = np.zeros((60, 8, 8), np.uint8), np.arange(60) % 2
    np.savez(tmp_path / images, x=x, y=y)
    said = command("init", images, "--to", "new.yaml")
    assert said.status == 2 and said.err.count("\n") == 1
    assert said.err.startswith("the name 'caf\\xe9.npz' is not UTF-8") and "rename it" in said.err
    assert not (tmp_path / "new.yaml").exists()


def job_of(number: int, text: str, folder: Path, **changes: Any) -> Job:
    """Return a job of one epoch."""
    job = Job(
        number=number,
        genome=text,
        digest="-",
        recipe=Recipe(epochs=1),
        rungs=(),
        trial_seconds=600.0,
        left_seconds=None,
        charged_share=1.0,
        memory_bytes=None,
        predicted_bytes=0,
        latency=None,
        folder=str(folder),
        checkpoint_seconds=15.0,
    )
    return job._replace(**changes)


HANGS = """genome: hangs
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 4}
  out: {op: exit, in: [stem]}
"""


def test_a_child_that_does_not_stop_at_its_limit_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("search.workers.pool.GRACE_SECONDS", 0.3)
    with worker_pool([Setup("digits", None, None, None, "cpu", 1)]) as hands:
        while not hands.slots[0].is_ready:
            hands.wait(0.2)
        child = process_of(hands.slots[0])
        assert child.pid is not None
        os.kill(child.pid, signal.SIGSTOP)  # a process that cannot react
        job = job_of(7, HANGS, tmp_path, trial_seconds=0.2)
        hands.give(hands.slots[0], job)
        events: list[Any] = []
        charged = 0.0
        while not events:
            charged = max(charged, charged_seconds(hands.slots[0], job))
            events = hands.wait(0.05)
        assert charged == 0.2, "no more than its limit, however long it hangs"
        (event,) = events
        assert isinstance(event, Died) and event.number == 7
        assert event.reason.endswith("it did not stop at its limit")
        assert process_of(hands.slots[0]).pid != child.pid and hands.free()


def test_a_child_that_still_reads_its_images_is_not_overdue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("search.workers.pool.GRACE_SECONDS", 0.0)
    with worker_pool([Setup("digits", None, None, None, "cpu", 1)]) as hands:
        began = time.monotonic()
        hands.give(hands.slots[0], job_of(7, HANGS, tmp_path, trial_seconds=0.1))
        while not hands.slots[0].is_ready:
            assert hands.wait(0.01) == []
        assert time.monotonic() - began > 0.1, "reading takes longer than the limit"


@pytest.mark.skipif(start_method() != "forkserver", reason="this system has no fork server")
def test_a_fork_server_that_is_killed_while_a_worker_starts_is_started_anew() -> None:
    prepare()
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGSTOP)  # it cannot answer
    killer = threading.Timer(1.0, os.kill, (server, signal.SIGKILL))
    killer.start()
    with worker_pool([Setup("digits", None, None, None, "cpu", 1)]) as hands:
        while not hands.slots[0].is_ready:
            assert hands.wait(0.2) == []
    killer.join()


WIDE = (
    HANGS.replace("width: 4", "width: 4096")
    .replace("in: [stem]", "in: [body]")
    .replace("  out:", "  body: {op: conv, in: [stem], kernel: 3, width: 4096}\n  out:")
)


def test_memory_that_runs_out_is_an_outcome_and_the_child_lives_on(tmp_path: Path) -> None:
    with worker_pool([Setup("digits", None, None, None, "cpu", 1)]) as hands:
        slot = hands.slots[0]
        while not slot.is_ready:
            hands.wait(0.2)
        child = process_of(slot).pid
        reports = []
        for number, text in enumerate((WIDE, HANGS)):
            hands.give(slot, job_of(number, text, tmp_path / str(number), memory_bytes=300 * 2**20))
            events: list[Any] = []
            while not any(isinstance(event, Finished) for event in events):
                events = hands.wait(0.2)
            reports.append(events[-1].report)
        assert [(r.report.outcome, r.report.kind) for r in reports] == [
            ("failed", "out-of-memory"),
            ("done", None),
        ]
        assert process_of(slot).pid == child
        assert not (tmp_path / "0").exists() and (tmp_path / "1" / "weights.safetensors").exists()


class BreaksTheStorage(Silent):
    """Removes a table in the middle of the study."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def began(self, number: int, params: int, macs: int) -> None:
        connection = sqlite3.connect(self.file)
        connection.execute("DROP TABLE IF EXISTS trial_user_attributes")
        connection.close()


def test_a_storage_that_fails_under_way_is_a_sentence(run: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the storage of study tiny failed \(.*no such table"):
        run(BreaksTheStorage(tmp_path / "runs" / "tiny" / "study.db"))


def test_a_disk_without_room_for_weights_is_one_sentence_and_no_fault_of_the_network(
    run: Callable[..., Result], written: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("resource")
    study = {"space": HEAVY, "trials": 1, "workers": 1, "objectives": "accuracy"}
    with commands() as start:
        command = start("search", written(**study), "--runs", tmp_path / "runs", 1 << 20, code=SMALL_FILES)
        _, said = command.communicate(timeout=PATIENCE_SECONDS)
    place = tmp_path / "runs" / "tiny" / "trials" / "0" / "weights.safetensors"
    assert command.returncode == 2 and "Traceback" not in said, said
    assert f"the files of trial 0 cannot be written ({place}: File too large)" in said.splitlines()[-1]
    records = run(**study).records
    assert [one.outcome for one in records] == ["interrupted", "done"] and records[1].retry_of == 0


@pytest.mark.parametrize(
    ("most", "why"),
    [
        (0, "study.db.lock: File too large"),
        (10, "study.db cannot be used as a study's storage (disk I/O error); see that its disk has room"),
        (200_000, "study.db cannot be used (disk I/O error)"),
        (300_000, "the storage of study tiny failed ((sqlite3.OperationalError) disk I/O error)"),
    ],
)
def test_a_disk_that_is_full_while_a_study_is_made_is_one_sentence(
    run: Callable[..., Result], written: Callable[..., Path], tmp_path: Path, most: int, why: str
) -> None:
    pytest.importorskip("resource")
    with commands() as start:
        command = start("search", written(trials=1), "--runs", tmp_path / "runs", most, code=SMALL_FILES)
        _, said = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 2 and why in said.splitlines()[-1] and "Traceback" not in said, said
    assert run(trials=1).exported
