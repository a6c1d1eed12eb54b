"""Warm child processes, one for each device slot: whatever kills one is an outcome of its trial alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from types import ModuleType
from typing import Any

from search.errors import StudyError
from search.workers.messages import HALT, Broken, Died, Event, Finished, Ready, Screened, Setup, Task, Verdict

PRELOAD = (
    "torch",
    "search.workers.worker",
)  # imported once by the fork server: a child then starts in 0.03 s
GRACE_SECONDS = 15.0  # a child this long over its limit hangs
STOP_SECONDS = 3.0
LOSSES_IN_A_ROW = 5  # children that die one after another, before any report: the machine, not a genome


@dataclass
class Slot:
    """A place on a device, its child process and the job in hand."""

    setup: Setup
    process: ForkServerProcess
    pipe: Connection
    job: Task | None = None
    began: float = 0.0  # time.monotonic() when the job was given
    is_ready: bool = False

    def elapsed_seconds(self) -> float:
        """Return the wall seconds since the job in hand was given."""
        return time.monotonic() - self.began

    def is_overdue(self) -> bool:
        limit = self.job.limit_seconds() if self.job else None
        return limit is not None and self.elapsed_seconds() > limit + GRACE_SECONDS


@dataclass
class Crew:
    """The slots of one coordinator."""

    slots: list[Slot]
    losses: int = field(default=0)

    def free(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is None]

    def busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is not None]

    def at_work(self) -> list[Slot]:
        """Return the slots whose trial has begun: the others' children are still being started."""
        return [slot for slot in self.busy() if slot.is_ready]

    def slot_of(self, number: int) -> Slot:
        return next(slot for slot in self.slots if slot.job and slot.job.number == number)

    def give(self, slot: Slot, job: Task) -> None:
        """Hand a job to a free slot; a child that died meanwhile is replaced first."""
        if not slot.process.is_alive():
            self._replace(slot)
        slot.job, slot.began = job, time.monotonic()
        with suppress(OSError):  # if it died this moment, the next `wait` finds the end of its pipe
            slot.pipe.send(job)

    def answer(self, number: int, verdict: Verdict) -> None:
        """Tell a trial that waits at a rung whether to stop."""
        with suppress(OSError):  # as above
            self.slot_of(number).pipe.send(verdict)

    def halt(self) -> None:
        """Ask the trials in hand to keep what they have come to and to stop; `wait` hears of it."""
        for slot in self.at_work():
            if slot.process.is_alive() and slot.process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(slot.process.pid, HALT)

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return what the busy children said or suffered, after at most `timeout_seconds`.

        Raises StudyError when a child cannot work at all.
        """
        pipes = {slot.pipe: slot for slot in self.slots}
        events: list[Event] = []
        for pipe in wait(list(pipes), timeout_seconds):
            event = self._hear(pipes[pipe])  # type: ignore[index]
            if event is not None:
                events.append(event)
        events.extend(self._kill(slot) for slot in self.busy() if slot.is_overdue())
        return events

    def _hear(self, slot: Slot) -> Event | None:
        try:
            said: Any = slot.pipe.recv()
        except (EOFError, OSError):
            return self._bury(slot)
        match said:
            case Ready():
                slot.is_ready, slot.began = True, time.monotonic()  # loading data is not the job's time
                return None
            case Broken(reason):
                raise StudyError(reason)
        if isinstance(said, Finished | Screened):
            slot.job, self.losses = None, 0
        return said  # type: ignore[no-any-return]

    def _bury(self, slot: Slot) -> Event | None:
        """Replace a child that died; its job, if it had one, has this outcome."""
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
        stop([slot], at_once=True)
        self._replace(slot)
        return Died(number, f"killed after {seconds:.0f} s: it did not stop at its limit")

    def _replace(self, slot: Slot) -> None:
        slot.pipe.close()
        fresh = start(slot.setup)
        slot.process, slot.pipe = fresh.process, fresh.pipe
        slot.job, slot.is_ready = None, False


def prepare(more: Sequence[str] = ()) -> None:
    """Begin to start the fork server, which imports torch and `more` meanwhile; `crew` then need not wait.

    There is one for the life of a process: a second call changes nothing.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOAD, *more])
    resource_tracker.ensure_running()  # which begins it, too, but lets Ctrl-C through again
    with without_main(), _without_interrupts():
        forkserver.ensure_running()


@contextmanager
def crew(setups: Sequence[Setup]) -> Iterator[Crew]:
    """Start one child for each setup; all of them are gone when the block ends."""
    hands = Crew([])
    try:
        hands.slots.extend(start(setup) for setup in setups)
        yield hands
    finally:
        stop(hands.slots, at_once=True)


def start(setup: Setup) -> Slot:
    """Start a child process that loads its data and then waits for jobs."""
    prepare()
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, setup), daemon=True)
    with without_main():
        process.start()
    theirs.close()
    return Slot(setup, process, ours, began=time.monotonic())


def _serve(pipe: Connection, setup: Setup) -> None:
    from search.workers.worker import (
        serve,  # torch and all: loaded in the fork server, never in the coordinator
    )

    serve(pipe, setup)


def stop(slots: Sequence[Slot], at_once: bool = False) -> None:
    """End children: with SIGTERM, then with SIGKILL for those that stay."""
    for slot in slots:
        slot.process.kill() if at_once else slot.process.terminate()
    for slot in slots:
        slot.process.join(STOP_SECONDS)
        if slot.process.is_alive():
            slot.process.kill()
            slot.process.join()
        slot.pipe.close()


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended by itself with status {exit_code}"
    hint = {9: " (out of memory?)", 11: " (a crash in native code)"}.get(-exit_code, "")
    name = signal.Signals(-exit_code).name
    return f"killed by signal {-exit_code}, {name}{hint}"


@contextmanager
def without_main() -> Iterator[None]:
    """Hide the user's script from multiprocessing, which would import it again in every child.

    The children need nothing of it, and a script without `if __name__ == "__main__"` would start itself.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C, which reaches the whole group, from processes begun in here; ours comes at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
