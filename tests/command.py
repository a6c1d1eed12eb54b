"""The command `genome` as a separate process, as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from tests.template import STACK, Forked

ROOT = Path(__file__).parents[1]
MAIN = "from search.cli.app import main; main()"

PATIENCE_SECONDS = 120.0  # for work of a second or two: only a process that hangs is a failure
FRAMES = 6  # of each thread of a command that hangs are shown

Command: TypeAlias = subprocess.Popen[str]
T = TypeVar("T")


@contextmanager
def commands(is_forked: bool = sys.platform == "linux") -> Iterator[Callable[..., Command]]:
    """A function that starts `genome WORDS`, each in its own session; at the end all commands are killed.

    is_forked: fork a process that has imported the command, instead of starting Python, which takes seconds.
    code: what Python runs instead of the command.  stderr: None joins it with the output.
    """
    begun: list[Command] = []

    def start(*words: object, code: str = MAIN, stderr: int | None = subprocess.PIPE) -> Command:
        line = [code, *map(str, words)]
        popen, line = (Forked, line) if is_forked else (subprocess.Popen, [sys.executable, "-c", *line])
        process = popen(
            line,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if stderr is None else stderr,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        return process

    try:
        yield start
    finally:
        for process in begun:
            # the children too: a test that failed may have left them frozen
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            with suppress(ChildProcessError):
                while is_forked:  # its children, which have become those of this process
                    os.waitpid(-process.pid, 0)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def until(found: Callable[[], T], *running: Command) -> T:
    """Wait until the function finds something while these commands run, and return it."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not (value := found()):
        assert not [process for process in running if process.poll() is not None], "it ended before"
        assert time.monotonic() < limit, "\n".join(["it never came", *map(_last_words, running)])
        time.sleep(0.05)
    return value


def _last_words(command: Command) -> str:
    """Kill a command with all its processes, and return what it had said and, where it was forked, where each stood."""
    states = []
    if isinstance(command, Forked):
        for one in members(command.pid):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            user, system = fields[11:13]
            states.append(
                f"process {one}: state {fields[0]}, {user} and {system} ticks, {fields[17]} threads"
            )
            os.kill(one, STACK)
            time.sleep(0.5)
    os.killpg(command.pid, signal.SIGKILL)
    said = "\n".join(text for text in command.communicate() if text)
    return "\n".join([*states, *_shortened(said.splitlines())])


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a text, and of each stack in it the innermost frames."""
    frames = 0
    for line in lines:
        frames = frames + 1 if line.startswith("  File ") else 0
        if frames <= FRAMES:
            yield line


def frozen(command: Command, found: Callable[[], T]) -> T:
    """Freeze a command and all its children at a moment at which the function finds something, and return that.

    The processes stay frozen, so that the found state stays true. `killed` ends them.
    """

    def look() -> T | None:
        os.killpg(command.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, command.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        value = found()
        if not value:
            os.killpg(command.pid, signal.SIGCONT)
        return value

    value = until(look, command)
    assert value
    return value


def killed(command: Command) -> None:
    """Kill a command with -9, and wait until its children, which may be writing, have ended."""
    command.kill()
    os.killpg(command.pid, signal.SIGCONT)
    command.wait()
    until(lambda: not members(command.pid))


def members(session: int) -> dict[int, int]:
    """Return the processes that live in a session, and the parent of each."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # no process, or a process that has just ended
        if fields[3] == str(session) and fields[0] != "Z":
            found[int(entry.name)] = int(fields[1])
    return found
