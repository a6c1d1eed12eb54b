"""Processes: whether one still lives, how to start some, and which of them Ctrl-C reaches."""

import multiprocessing
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

import psutil

from trainer.system.signals import ignore_stops, stops_blocked

CLOCK_SECONDS = 2.0  # by which the clock of the system may move the start of a process


def started_at(number: int) -> float | None:
    """Return when the process with this number began, in unix seconds; None where no living process has the number.

    The system may give the number of an ended process to another one: number and start together are one process.
    """
    try:
        process = psutil.Process(number)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, OverflowError):
        return None


def is_same_start(one: float, other: float) -> bool:
    """Whether two answers of `started_at` mean the same process; setting the clock moves them a little."""
    return abs(one - other) <= CLOCK_SECONDS


def processor_seconds(number: int) -> float | None:
    """Return the processor seconds that all threads of a process have used; None where there is no such process."""
    try:
        used = psutil.Process(number).cpu_times()
    except psutil.Error:
        return None
    return float(used.user + used.system)


def start_method() -> str:
    """Return how `multiprocessing` shall start worker processes: `forkserver`, or `spawn` where that is not safe.

    A fork server imports torch once for all workers. Windows has none. On macOS, system frameworks that are loaded
    before a fork may crash after it, which is why Python itself spawns there.
    """
    can_fork = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return "forkserver" if can_fork else "spawn"


def start_process(target: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a daemon process that runs `target(*args)`. It ignores the signals that end a run; its parent acts."""
    context: Any = multiprocessing.get_context(start_method())
    process: BaseProcess = context.Process(target=_ignoring_stops, args=(target, args), daemon=True)
    with stops_blocked():
        process.start()
    return process


def _ignoring_stops(target: Callable[..., None], args: tuple[Any, ...]) -> None:
    ignore_stops()
    target(*args)


@contextmanager
def without_main() -> Iterator[None]:
    """Hide the user's script from multiprocessing, which would import the script again in every worker.

    The workers need nothing of the script, and a script without `if __name__ == "__main__"` would run itself.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def typed(words: Sequence[str]) -> str:
    """Return a command as a person types it into the shell of this system."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def detached() -> dict[str, Any]:
    """Return the arguments with which `subprocess.Popen` starts a process that outlives this one and its terminal."""
    if hasattr(subprocess, "CREATE_NEW_PROCESS_GROUP"):
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
