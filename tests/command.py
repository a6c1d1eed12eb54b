"""The command `genome` as a process of its own, as a person starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
MAIN = "from search.cli import main; main()"

Command: TypeAlias = subprocess.Popen[str]


@contextmanager
def commands() -> Iterator[Callable[..., Command]]:
    """A function that starts `genome WORDS`, each in a session of its own; at the end all are killed.

    code: what Python runs instead.  stderr: None has it follow the output.
    """
    begun: list[Command] = []

    def start(*words: object, code: str = MAIN, stderr: int | None = subprocess.PIPE) -> Command:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
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
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
