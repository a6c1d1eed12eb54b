"""Workers on this machine: warm processes, which a fork server starts."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from search.errors import StudyError
from search.workers.engine import Lost, Message
from search.workers.messages import Job, Ready, Screening, Setup, Task, Verdict
from trainer.hardware.clock import device_seconds, running_seconds
from trainer.system.processes import processor_seconds, start_method, start_process, without_main
from trainer.system.signals import stops_blocked

# modules that the fork server imports once: a worker then starts in 0.03 s
PRELOAD = ("torch", "search.workers.worker", "search.workers.fork_server")
STOP_SECONDS = 3.0
LOSSES_IN_A_ROW = 5
ATTEMPTS, AGAIN_SECONDS = 5, 0.3  # to start a worker


@dataclass
class LocalWorker:
    """A worker process on this machine."""

    setup: Setup
    process: BaseProcess
    pipe: Connection
    halts: Connection  # see `worker.serve`
    # running_seconds() when the worker got the job, or had read its data if that was later
    began: float = 0.0
    # processor seconds of the worker at that moment, and now
    worked_before: float = 0.0
    worked: float = 0.0

    @property
    def is_placed(self) -> bool:
        return True

    def is_alive(self) -> bool:
        return self.process.is_alive()

    def send(self, message: Task | Verdict) -> None:
        if isinstance(message, Job | Screening):
            self._begin()
        with suppress(OSError):  # of a worker that dies at this moment: the next `receive` reports its death
            self.pipe.send(message)

    def halt(self) -> None:
        with suppress(OSError):  # as in `send`
            self.halts.send(None)

    def receive(self) -> Sequence[Message]:
        try:
            message: Any = self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, OSError):
            self.process.join(STOP_SECONDS)
            raise Lost(_cause(self.process.exitcode)) from None
        if isinstance(message, Ready):
            self._begin()  # reading data is not charged to the job
        return () if message is None else (message,)

    def elapsed_seconds(self) -> float:
        running = running_seconds() - self.began
        if self.setup.device != "cpu":
            return running
        self.worked = self._processor_seconds()
        return device_seconds(running, (self.worked - self.worked_before) / self.setup.threads)

    def _begin(self) -> None:
        self.began = running_seconds()
        self.worked_before = self.worked = self._processor_seconds()

    def _processor_seconds(self) -> float:
        """Return the processor seconds of the worker, the last known ones where it has died."""
        number = self.process.pid
        seconds = None if number is None else processor_seconds(number)
        return self.worked if seconds is None else seconds


class Local:
    """The engine of this machine."""

    losses_in_a_row = LOSSES_IN_A_ROW

    def start(self, setup: Setup) -> LocalWorker:
        """Start a worker, also where the fork server dies meanwhile. Raises StudyError where it dies each time."""
        for _ in range(ATTEMPTS):
            try:
                return self._start(setup)
            except (EOFError, ConnectionError):
                time.sleep(AGAIN_SECONDS)  # its death may not be known yet
        raise StudyError(
            "no worker can be started: the process that starts them is killed each time (out of memory?); see `dmesg`"
        )

    def _start(self, setup: Setup) -> LocalWorker:
        prepare()
        context = multiprocessing.get_context(start_method())
        ours, theirs = context.Pipe()
        receives, halts = context.Pipe(duplex=False)
        with without_main():
            process = start_process(_serve, theirs, receives, setup)
        theirs.close()
        receives.close()
        return LocalWorker(setup, process, ours, halts)

    def wait(self, workers: Sequence[LocalWorker], timeout_seconds: float) -> Sequence[LocalWorker]:
        pipes = {worker.pipe: worker for worker in workers}
        return [pipes[pipe] for pipe in wait(list(pipes), timeout_seconds)]  # type: ignore[index]

    def end(self, workers: Sequence[LocalWorker]) -> None:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()
            worker.halts.close()


def prepare(more: Sequence[str] = ()) -> None:
    """Begin to start the fork server, which imports torch and `more` meanwhile, so that no worker need wait for it.

    A process has one fork server as long as it lives: a second call changes nothing. Without one nothing is prepared.
    """
    if start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOAD, *more])
    with without_main(), stops_blocked():
        forkserver.ensure_running()


def _serve(pipe: Connection, halts: Connection, setup: Setup) -> None:
    from search.workers.worker import serve  # imports torch: in the fork server, never in the coordinator

    serve(pipe, halts, setup)


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended by itself with status {exit_code}"
    hint = {9: " (out of memory?)", 11: " (a crash in native code)"}.get(-exit_code, "")
    name = signal.Signals(-exit_code).name
    return f"killed by signal {-exit_code}, {name}{hint}"
