"""The pool of workers: warm processes, one for each device slot. What kills a worker fails its trial alone."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from search.errors import StudyError
from search.workers.messages import Broken, Died, Event, Finished, Ready, Screened, Setup, Task, Verdict
from trainer.hardware.clock import device_seconds, running_seconds
from trainer.system.processes import processor_seconds, start_method, start_process, without_main
from trainer.system.signals import stops_blocked

# modules that the fork server imports once: a worker then starts in 0.03 s
PRELOAD = ("torch", "search.workers.worker", "search.workers.fork_server")
GRACE_SECONDS = 15.0  # a worker that is over its limit by so much hangs
STOP_SECONDS = 3.0
LOSSES_IN_A_ROW = 5  # workers that die one after another, before any report: the machine is to blame


@dataclass
class Slot:
    """A place on a device, its worker process and the job that the worker does."""

    setup: Setup
    process: BaseProcess
    pipe: Connection
    halts: Connection  # see `worker.serve`
    job: Task | None = None
    # running_seconds() when the worker got the job, or had read its data if that was later
    began: float = 0.0
    # processor seconds of the worker at that moment, and now
    worked_before: float = 0.0
    worked: float = 0.0
    is_ready: bool = False  # whether the worker has read its data

    def begin(self) -> None:
        """Start the clock of a job."""
        self.began = running_seconds()
        self.worked_before = self.worked = self._processor_seconds()

    def elapsed_seconds(self) -> float:
        """Return the seconds on this slot of the job so far, as `trainer.Meter` counts them in the worker."""
        running = running_seconds() - self.began
        if self.setup.device != "cpu":
            return running
        self.worked = self._processor_seconds()
        return device_seconds(running, (self.worked - self.worked_before) / self.setup.threads)

    def _processor_seconds(self) -> float:
        """Return the processor seconds of the worker, the last known ones where it has died."""
        number = self.process.pid
        seconds = None if number is None else processor_seconds(number)
        return self.worked if seconds is None else seconds

    def is_overdue(self) -> bool:
        """Whether the worker hangs. A start is no hang: without a fork server it alone may take longer than a trial."""
        limit = self.job.limit_seconds() if self.job and self.is_ready else None
        return limit is not None and self.elapsed_seconds() > limit + GRACE_SECONDS


@dataclass
class WorkerPool:
    """The slots of one coordinator."""

    slots: list[Slot]
    losses: int = field(default=0)  # workers that died since the last report

    def free(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is None]

    def busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is not None]

    def at_work(self) -> list[Slot]:
        """Return the slots whose worker is doing its job; a worker that is still starting is not."""
        return [slot for slot in self.busy() if slot.is_ready]

    def slot_of(self, number: int) -> Slot:
        return next(slot for slot in self.slots if slot.job and slot.job.number == number)

    def give(self, slot: Slot, job: Task) -> None:
        """Give a free slot a job; a worker that died meanwhile is replaced first."""
        if not slot.process.is_alive():
            self._replace(slot)
        slot.job = job
        slot.begin()
        with suppress(OSError):  # of a worker that dies at this moment: the next `wait` reports its death
            slot.pipe.send(job)

    def answer(self, number: int, verdict: Verdict) -> None:
        """Send the verdict to the worker of a trial that waits at a rung."""
        with suppress(OSError):  # as in `give`
            self.slot_of(number).pipe.send(verdict)

    def halt(self) -> None:
        """Ask the workers to write their checkpoints and stop; `wait` returns their reports."""
        for slot in self.at_work():
            with suppress(OSError):  # as in `give`
                slot.halts.send(None)

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the events of the workers, after at most `timeout_seconds`.

        Raises StudyError where a worker cannot work at all.
        """
        pipes = {slot.pipe: slot for slot in self.slots}
        events: list[Event] = []
        for pipe in wait(list(pipes), timeout_seconds):
            event = self._receive(pipes[pipe])  # type: ignore[index]
            if event is not None:
                events.append(event)
        events.extend(self._kill(slot) for slot in self.busy() if slot.is_overdue())
        return events

    def _receive(self, slot: Slot) -> Event | None:
        try:
            message: Any = slot.pipe.recv()
        except (EOFError, OSError):
            return self._died(slot)
        match message:
            case Ready():
                # reading data is not charged to the job
                slot.is_ready = True
                slot.begin()
                return None
            case Broken(reason):
                raise StudyError(reason)
        if isinstance(message, Finished | Screened):
            slot.job, self.losses = None, 0
        return message  # type: ignore[no-any-return]

    def _died(self, slot: Slot) -> Event | None:
        """Replace a worker that died; its death is the outcome of its job, if it had one."""
        slot.process.join(STOP_SECONDS)
        reason, job = _cause(slot.process.exitcode), slot.job
        self.losses += 1
        if self.losses >= LOSSES_IN_A_ROW:
            raise StudyError(f"{self.losses} workers died one after another, the last {reason}; see `dmesg`")
        self._replace(slot)
        return Died(job.number, reason) if job else None

    def _kill(self, slot: Slot) -> Event:
        assert slot.job is not None
        number, seconds = slot.job.number, slot.elapsed_seconds()
        stop([slot])
        self._replace(slot)
        return Died(number, f"killed after {seconds:.0f} s: it did not stop at its limit", hung=True)

    def _replace(self, slot: Slot) -> None:
        _hang_up(slot)
        new = start(slot.setup)
        slot.process, slot.pipe, slot.halts = new.process, new.pipe, new.halts
        slot.job, slot.is_ready = None, False


def prepare(more: Sequence[str] = ()) -> None:
    """Begin to start the fork server, which imports torch and `more` meanwhile, so that `worker_pool` need not wait.

    A process has one fork server as long as it lives: a second call changes nothing. Without one nothing is prepared.
    """
    if start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOAD, *more])
    with without_main(), stops_blocked():
        forkserver.ensure_running()


@contextmanager
def worker_pool(setups: Sequence[Setup]) -> Iterator[WorkerPool]:
    """Start one worker for each setup; all of them have ended when the block ends."""
    pool = WorkerPool([])
    try:
        pool.slots.extend(start(setup) for setup in setups)
        yield pool
    finally:
        stop(pool.slots)


def start(setup: Setup) -> Slot:
    """Start a worker that loads its data and then waits for jobs."""
    prepare()
    context = multiprocessing.get_context(start_method())
    ours, theirs = context.Pipe()
    receives, halts = context.Pipe(duplex=False)
    with without_main():
        process = start_process(_serve, theirs, receives, setup)
    theirs.close()
    receives.close()
    return Slot(setup, process, ours, halts)


def _serve(pipe: Connection, halts: Connection, setup: Setup) -> None:
    from search.workers.worker import serve  # imports torch: in the fork server, never in the coordinator

    serve(pipe, halts, setup)


def stop(slots: Sequence[Slot]) -> None:
    """End workers at once."""
    for slot in slots:
        slot.process.kill()
    for slot in slots:
        slot.process.join()
        _hang_up(slot)


def _hang_up(slot: Slot) -> None:
    slot.pipe.close()
    slot.halts.close()


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended by itself with status {exit_code}"
    hint = {9: " (out of memory?)", 11: " (a crash in native code)"}.get(-exit_code, "")
    name = signal.Signals(-exit_code).name
    return f"killed by signal {-exit_code}, {name}{hint}"
