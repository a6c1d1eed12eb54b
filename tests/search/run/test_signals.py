"""Signals to the whole process group, as a terminal, `timeout`, systemd and batch systems send them."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.run import stop
from search.run.stop import stop_signals
from search.storage.record import Record
from search.storage.trial_files import CHECKPOINT_FILE
from search.study import Result
from tests.command import PATIENCE_SECONDS, Command, commands, members, until
from tests.search.conftest import in_training, trials_in

Run = Callable[..., Result]
Start = Callable[..., Command]

# The command, with a minute for the checkpoints: two seconds are too short on a busy machine.
PATIENT = """
import os, signal, sys
import search.run.loop, search.run.finale, search.run.scheduler
from search.cli.app import main
search.run.loop.HALT_SECONDS = 60.0
{patch}
main()
"""
# long trainings would be compiled, which takes a minute
ENDLESS = {"trials": 60, "train": {"epochs": 100_000, "batch": 32, "compile": "never"}}


@pytest.fixture
def started(tmp_path: Path, written: Callable[..., Path]) -> Iterator[Start]:
    """A function that starts `genome search` on a tiny study, as the leader of its own process group."""
    with commands() as start:

        def search(patch: str = "", **changes: Any) -> Command:
            runs = tmp_path / "runs"
            return start("search", written(**changes), "--runs", runs, code=PATIENT.format(patch=patch))

        yield search


def ended(command: Command) -> str:
    """Return the output of a command that ends as after Ctrl-C; none of its processes is left."""
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert (command.returncode, err) == (130, "")
    until(lambda: not members(command.pid))
    return out


def begun(runs: Path) -> list[int]:
    """Return the trials that a worker has begun to work on."""
    return [
        record.number for record in trials_in(runs) if record.outcome == "running" and record.seconds > 0.5
    ]


def outcomes(records: list[Record]) -> set[str]:
    return {record.outcome for record in records}


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGHUP, signal.SIGUSR1))],
)
def test_a_signal_to_the_group_interrupts_the_trials(started: Start, tmp_path: Path, number: int) -> None:
    command = started(**ENDLESS)
    until(lambda: len(in_training(tmp_path / "runs")) == 2, command)
    os.killpg(command.pid, number)
    assert "stopped by hand" in ended(command)
    records = trials_in(tmp_path / "runs")
    interrupted = [record.number for record in records if record.outcome == "interrupted"]
    assert len(interrupted) == 2 and outcomes(records) == {"interrupted", "waiting"}
    assert interrupted == [record.retry_of for record in records if record.outcome == "waiting"]
    folder = tmp_path / "runs" / "tiny" / "trials"
    assert all((folder / str(trial) / CHECKPOINT_FILE).exists() for trial in interrupted)


def test_a_batch_system_gives_grace_and_the_run_goes_on(written: Callable[..., Path], tmp_path: Path) -> None:
    """A worker that is busy for longer than the usual two seconds writes its checkpoint within the grace."""
    with commands() as start:
        runs = tmp_path / "runs"
        command = start("search", written(**ENDLESS), "--runs", runs, "--grace", "60s")
        until(lambda: len(in_training(runs)) == 2, command)
        processes = members(command.pid)
        children = [one for one, parent in processes.items() if parent in processes and parent != command.pid]
        for child in children:
            os.kill(child, signal.SIGSTOP)  # as in a long step
        os.killpg(command.pid, signal.SIGUSR1)
        time.sleep(3.0)
        assert command.poll() is None
        for child in children:
            os.kill(child, signal.SIGCONT)
        assert "stopped by hand" in ended(command)
        checkpoints = [*(runs / "tiny" / "trials").glob(f"*/{CHECKPOINT_FILE}")]
        assert len(checkpoints) == 2
        again = start("search", written(**ENDLESS), "--runs", runs, "--grace", "60s")  # as after a requeue
        until(lambda: len(in_training(runs)) == 2, again)
        os.kill(again.pid, signal.SIGUSR1)
        ended(again)
    records = trials_in(runs)
    retried = [
        record for record in records if record.retry_of is not None and record.outcome == "interrupted"
    ]
    assert {record.retry_of for record in retried} == {int(file.parent.name) for file in checkpoints}
    assert not any(file.exists() for file in checkpoints), "the trials that retry them go on from them"


def test_sigusr1_stays_with_a_script_that_handles_it() -> None:
    got = list[int]()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        with stop_signals() as is_asked:
            signal.raise_signal(signal.SIGUSR1)
            assert got == [signal.SIGUSR1] and not is_asked()
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.slow
def test_a_terminal_that_closes_interrupts_the_trials(written: Callable[..., Path], tmp_path: Path) -> None:
    code = PATIENT.format(patch="import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)")
    words = [sys.executable, "-c", code, "search", written(**ENDLESS), "--runs", tmp_path / "runs"]
    terminal, inner = pty.openpty()
    process = subprocess.Popen(words, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)

    def is_training() -> bool:
        while select.select([terminal], [], [], 0.1)[0]:  # a full terminal holds the command up
            os.read(terminal, 1 << 16)
        return bool(in_training(tmp_path / "runs"))

    until(is_training)
    os.close(terminal)
    assert process.wait(PATIENCE_SECONDS) == 130
    until(lambda: not members(process.pid))
    assert outcomes(trials_in(tmp_path / "runs")) == {"interrupted", "waiting"}
    assert [*(tmp_path / "runs" / "tiny" / "trials").glob(f"*/{CHECKPOINT_FILE}")]


@pytest.mark.slow
def test_a_signal_that_comes_to_the_command_and_to_its_group_is_one_request(
    started: Start, tmp_path: Path
) -> None:
    command = started(**ENDLESS)
    until(lambda: begun(tmp_path / "runs"), command)
    os.kill(command.pid, signal.SIGINT)  # `timeout -s INT` does these three
    time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)
    os.killpg(command.pid, signal.SIGCONT)
    assert "stopped by hand" in ended(command)
    assert outcomes(trials_in(tmp_path / "runs")) == {"interrupted", "waiting"}


def test_a_second_ctrl_c_ends_a_run_that_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with stop_signals() as is_asked:
        assert not is_asked()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert is_asked()
        monkeypatch.setattr(stop, "SAME_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_nohup_stays_in_force() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as is_asked:
            signal.raise_signal(signal.SIGHUP)
            assert not is_asked()
    finally:
        signal.signal(signal.SIGHUP, before)


AT = """
import search.study
{name} = search.study.{name}
def signalled(*given):
    os.killpg(0, signal.SIGTERM)
    return {name}(*given)
search.study.{name} = signalled
"""


def test_a_signal_at_the_first_moment_leaves_no_trial(started: Start, run: Run, tmp_path: Path) -> None:
    assert "stopped by hand; 0 trials" in ended(started(AT.format(name="_data"), trials=2))
    assert trials_in(tmp_path / "runs") == []
    assert outcomes(list(run(trials=2).records)) == {"done"}


def test_a_signal_at_the_last_moment_lets_the_result_be_written(started: Start, tmp_path: Path) -> None:
    command = started(AT.format(name="_result"), trials=2)
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert (command.returncode, err) == (0, "") and "the best network is in" in out
    assert outcomes(trials_in(tmp_path / "runs")) == {"done"}


SCREENS = """
asked = search.run.scheduler.Scheduler._screen
def screen(*given):
    asked(*given)
    os.killpg(0, signal.SIGTERM)
search.run.scheduler.Scheduler._screen = screen
"""


@pytest.mark.slow
def test_a_signal_during_screening_leaves_no_trial_behind(started: Start, run: Run, tmp_path: Path) -> None:
    changes = {"screen": {"proxies": ["synflow"], "keep": 0.5}, "trials": 4}
    ended(started(SCREENS, **changes))
    assert outcomes(trials_in(tmp_path / "runs")) <= {"interrupted", "waiting"}
    assert outcomes(list(run(**changes).records)) <= {"done", "interrupted"}


OTHERS = """
import multiprocessing, time
from search.workers.local import prepare
prepare()
process = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(600,))
process.start()
time.sleep(0.5)
process.terminate()
process.join(30)
print(process.exitcode, flush=True)
process.kill()
"""


def test_other_processes_of_a_script_can_be_terminated() -> None:
    with commands() as start:
        out, _ = start(code=OTHERS).communicate(timeout=PATIENCE_SECONDS)
    assert out == f"{-signal.SIGTERM}\n"


SOON_OVERDUE = (
    "import search.workers.pool; search.workers.pool.GRACE_SECONDS = 4.0"  # less than the run stands still
)


def test_a_suspended_run_neither_pays_nor_is_overdue(started: Start, tmp_path: Path) -> None:
    limit, stopped = 5.0, 8.0
    changes = {**ENDLESS, "trials": 1, "workers": 1, "budget": {"per_trial": limit}}
    command = started(SOON_OVERDUE, **changes)
    until(lambda: begun(tmp_path / "runs"), command)
    os.killpg(command.pid, signal.SIGSTOP)  # Ctrl-Z, `scontrol suspend`
    time.sleep(stopped)
    os.killpg(command.pid, signal.SIGCONT)
    command.communicate(timeout=PATIENCE_SECONDS)
    (record,) = trials_in(tmp_path / "runs")
    assert (record.outcome, record.kind) == ("cut", "timeout")
    assert limit - 1 < record.seconds < limit + stopped / 2, "a busy machine is late"


def test_a_run_that_is_told_to_end_while_it_is_suspended_writes_its_checkpoints(
    started: Start, tmp_path: Path
) -> None:
    command = started(**ENDLESS)
    until(lambda: len(in_training(tmp_path / "runs")) == 2, command)
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):
        os.killpg(command.pid, number)
        time.sleep(0.5)
    ended(command)
    assert outcomes(trials_in(tmp_path / "runs")) == {"interrupted", "waiting"}
    assert len([*(tmp_path / "runs" / "tiny" / "trials").glob(f"*/{CHECKPOINT_FILE}")]) == 2


FINALE = {
    "trials": 2,
    "workers": 2,
    "objectives": "accuracy",
    "sampler": {"name": "random", "seed": 3},
    "finale": {"top": 2, "seeds": 2},
    "train": {"epochs": 4, "batch": 64},
}
RETRAINS = """
fill = search.run.finale.FinaleWork.fill
def full(self, pool):
    filled = fill(self, pool)
    if not pool.free():
        os.killpg(0, signal.SIGTERM)
    return filled
search.run.finale.FinaleWork.fill = full
"""


def test_a_signal_during_the_finale_takes_no_network_out_of_it(
    started: Start, run: Run, tmp_path: Path
) -> None:
    ended(started(RETRAINS, **FINALE))
    before = [
        seed
        for record in trials_in(tmp_path / "runs")
        if record.finale
        for seed in record.finale.seeds.values()
    ]
    assert len(before) == 2 and {one.outcome for one in before} <= {"interrupted", "done"}
    result = run(**FINALE)
    seeds = [one for record in result.records if record.finale for one in record.finale.seeds.values()]
    assert [one.outcome for one in seeds] == ["done"] * 4 and result.stop.endswith("the finale is over")


def test_a_signal_while_the_workers_read_the_images_loses_nothing(
    started: Start, run: Run, tmp_path: Path
) -> None:
    chance = np.random.default_rng(0)
    y = np.arange(60_000) % 2
    x = chance.integers(0, 256, (len(y), 16, 16), dtype=np.uint8)
    np.savez_compressed(tmp_path / "many.npz", train_x=x, train_y=y, test_x=x[:20], test_y=y[:20])
    changes = {"data": {"path": "many.npz"}, "trials": 2, "train": {"epochs": 1, "batch": 2048}}
    command = started(**changes)
    until(lambda: "running" in outcomes(trials_in(tmp_path / "runs")), command)
    os.killpg(command.pid, signal.SIGTERM)
    ended(command)
    # a worker that has read the images meanwhile may have trained its network: an epoch is short
    assert outcomes(trials_in(tmp_path / "runs")) <= {"interrupted", "waiting", "done"}
    records = run(**changes).records
    assert outcomes(list(records)) <= {"done", "interrupted"}
    assert sum(record.outcome == "done" for record in records) == 2
