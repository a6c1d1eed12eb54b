"""The structure and the times of this checkout against another one, such as a `git worktree` of an older commit.

It prints the figures of `tests/structure.py` for both, then ratios of CPU seconds (here / there), each the median of
pairs that run in turn: `genome --help`; proposing and storing a trial with `evolve` at 1,000 finished trials; and with
--suite the whole test suite, in one pair. CPU seconds count the processes that a command starts and waits for, so
other work on the machine hardly matters. Both checkouts run in this Python environment.

Goal of a change that moves code and keeps behaviour: each ratio at most 1.03.

    python benchmarks/versions.py FOLDER [--pairs 7] [--suite]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests import structure

HERE = Path(__file__).parents[1]
GOAL = 1.03
HELP = ("-m", "search", "--help")
SAMPLING = ("-m", "benchmarks.sampling_cost", "--finished", "1000", "--samplers", "evolve")
SUITE = ("-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", "-p", "no:cacheprovider")


class Timed(NamedTuple):
    """A command that ended."""

    cpu_seconds: float
    output: str


def run(folder: Path, arguments: Sequence[str]) -> Timed:
    """Run Python in a checkout and return the CPU seconds of it and of the processes it waited for."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as output:
        subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=output, stderr=output
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        output.seek(0)
        text = output.read()
    return Timed(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, text)


def help_seconds(folder: Path) -> float:
    """Return the CPU seconds of `genome --help`."""
    timed = run(folder, HELP)
    if "usage" not in timed.output.lower():
        raise SystemExit(f"`genome --help` failed in {folder}:\n{timed.output}")
    return timed.cpu_seconds


def sampling_seconds(folder: Path) -> float:
    """Return the CPU seconds to propose and to store a trial with evolve at 1,000 finished trials."""
    output = run(folder, SAMPLING).output
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 5 and cells[1] == "evolve":
            return float(cells[5]) / 1e3
    raise SystemExit(f"benchmarks.sampling_cost failed in {folder}:\n{output}")


def suite_seconds(folder: Path) -> float:
    """Return the CPU seconds of the whole test suite, and print its last line."""
    timed = run(folder, SUITE)
    print(f"  {folder}: {timed.output.strip().splitlines()[-1]}", flush=True)
    return timed.cpu_seconds


def ratio(measure: Callable[[Path], float], there: Path, pairs: int) -> tuple[float, float, float]:
    """Measure both checkouts in turn; return the medians here and there, and the median of the ratios."""
    here_seconds, there_seconds = [], []
    for pair in range(pairs):
        for folder in (HERE, there) if pair % 2 == 0 else (there, HERE):
            (here_seconds if folder == HERE else there_seconds).append(measure(folder))
    ratios = [a / b for a, b in zip(here_seconds, there_seconds, strict=True)]
    return statistics.median(here_seconds), statistics.median(there_seconds), statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the other checkout")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--suite", action="store_true", help="run both test suites, too")
    given = parser.parse_args()
    there = given.folder.resolve()
    for folder in (HERE, there):
        print(f"{folder}:", flush=True)
        structure.main(folder)
    measures = [
        ("genome --help", help_seconds, given.pairs),
        ("a trial, evolve", sampling_seconds, given.pairs),
    ]
    if given.suite:
        measures.append(("the test suite", suite_seconds, 1))
    print("| CPU ms | here | there | ratio | goal |")
    print("|" + " --- |" * 5)
    for name, measure, pairs in measures:
        ours, theirs, share = ratio(measure, there, pairs)
        verdict = "met" if share <= GOAL else "MISSED"
        print(
            f"| {name} | {1e3 * ours:,.1f} | {1e3 * theirs:,.1f} | {share:.2f}x | {GOAL}: {verdict} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
