"""Work in processes of their own: it takes seconds of Python, in which no page would be answered in time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TypeVar

from trainer.system.cpu import usable_cores

T = TypeVar("T")

MOST = 4  # processes
ROWS = 250  # of a process at least: its start takes as long

# the first value is the path of modules, without which the function cannot be read
_PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from search.dashboard.gene_analysis.apart import work
work()
"""


class _Apart(NamedTuple):
    """A process at work."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]  # its errors

    def next(self) -> Any:
        """Return its next result. Raises RuntimeError where it has ended."""
        assert self.process.stdout is not None
        try:
            return pickle.load(self.process.stdout)
        except EOFError:
            self.process.wait()
        self.said.seek(0)
        last = (self.said.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the process of the analysis has ended: {last[:200]}")


def map_apart(function: Callable[..., T], rows: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """Yield `function(*row)` of each row, computed by fresh processes with low priority, several for many rows.

    Function, rows and results are pickled. Raises RuntimeError where a process fails.
    """
    given = list(rows)
    # a core is left to those who ask for pages
    count = max(1, min(usable_cores() - 1, MOST, len(given) // ROWS))
    with ExitStack() as stack:
        # the rows take turns, so that no process is far ahead of the one whose result is awaited
        all_apart = [stack.enter_context(_started(function, given[first::count])) for first in range(count)]
        for one in islice(cycle(all_apart), len(given)):
            yield one.next()


@contextmanager
def _started(function: Callable[..., Any], rows: list[tuple[Any, ...]]) -> Iterator[_Apart]:
    """Start a process, which is ended afterwards."""
    with TemporaryFile() as given, TemporaryFile() as said:
        given.write(pickle.dumps(sys.path) + pickle.dumps((function, rows)))
        given.seek(0)
        command = [sys.executable, "-c", _PROGRAM]
        with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=said) as process:
            try:
                yield _Apart(process, said)
            finally:
                process.kill()


def work() -> None:
    """Compute what the parent process asks for: the program of the fresh process."""
    if hasattr(os, "nice"):
        os.nice(5)  # searches and pages come first
    results, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints is no result
    function, rows = pickle.load(sys.stdin.buffer)
    for row in rows:
        pickle.dump(function(*row), results)
        results.flush()
