"""Work in a process of its own: it takes seconds of Python, in which no page would be answered in time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any, TypeVar

T = TypeVar("T")

# the first value is the path of modules, without which the function cannot be read
_PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from search.dashboard.gene_analysis.apart import work
work()
"""


def map_apart(function: Callable[..., T], rows: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """Yield `function(*row)` of each row, computed by a fresh process with low priority.

    Function, rows and results are pickled.  Raises RuntimeError where the process fails.
    """
    given = pickle.dumps(sys.path) + pickle.dumps((function, list(rows)))
    with (
        TemporaryFile() as said,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(given)
            process.stdin.close()
            while (made := pickle.load(process.stdout)) is not None:
                yield made[0]
        except (EOFError, BrokenPipeError):
            process.wait()
            said.seek(0)
            last = (said.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"the process of the analysis has ended: {last[:200]}") from None
        finally:
            process.kill()


def work() -> None:
    """Compute what the parent process asks for: the program of the fresh process."""
    if hasattr(os, "nice"):
        os.nice(5)  # searches and pages come first
    results, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints is no result
    function, rows = pickle.load(sys.stdin.buffer)
    for row in rows:
        pickle.dump((function(*row),), results)
        results.flush()
    pickle.dump(None, results)
    results.flush()
