"""First byte of each page of the dashboard over a study of 5,000 trials of 60 holes, cold and warm.

The study is filled as in `sampling_cost.py` and served by the command itself, on a free port of this machine. Each page
is asked for over a new connection; what is counted is the time until the status line is there (the page is whole then,
the server does not stream), and beside it the CPU time of the server, which a busy machine changes less. Cold is the
first request to a fresh server: it reads all trials. While the study is `running`, one trial is changed before each
request, so that the numbers are worked out anew. Samplers of Optuna's (`--sampler tpe`) also keep each hole as a
parameter of the trial, which the dashboard leaves out.

Goal: under 300 ms once warm.

    python benchmarks/dashboard.py [--trials 5000] [--sampler evolve] [--times 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))
from sampling_cost import fill, study_text, verdict

from search.store import TEXT_ATTR, Store, claim, coordinate
from search.study_file import parse_study

GOAL_SECONDS = 0.3
STUDY = "/study/study"
PAGES = (
    "/",
    STUDY,
    f"{STUDY}?sort=-accuracy&op=conv&params_to=150000",
    f"{STUDY}?page=50",
    f"{STUDY}.json",
    f"{STUDY}/trial/77",
    f"{STUDY}/trial/77.json",
    f"{STUDY}/trial/77/picture.svg",
    f"{STUDY}/trial/77/genome.yaml",
    f"{STUDY}/compare?trial=77&trial=78&trial=79&trial=80",
)


class Answer(NamedTuple):
    """Seconds until the first byte, CPU seconds of the server, and the size of the page."""

    first_byte: float
    cpu: float
    size: int


@contextmanager
def served(runs: Path) -> Iterator[tuple[str, int]]:
    """The host and port of a fresh server, and the number of its process."""
    command = [sys.executable, "-m", "search", "dashboard", "--runs", str(runs), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield urlsplit(process.stdout.readline().split()[-1]).netloc, process.pid
    finally:
        process.kill()
        process.communicate()


def ask(place: str, process: int, page: str) -> Answer:
    """Ask for a page over a new connection."""
    connection = HTTPConnection(place, timeout=600)
    began, cpu = time.perf_counter(), cpu_seconds(process)
    connection.request("GET", page)
    answer = connection.getresponse()
    first_byte = time.perf_counter() - began
    size = len(answer.read())
    connection.close()
    assert answer.status == 200, page
    return Answer(first_byte, cpu_seconds(process) - cpu, size)


def cpu_seconds(process: int) -> float:
    """CPU time of a process so far, to a hundredth of a second."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def middle(answers: list[Answer]) -> Answer:
    """The median first byte, the mean CPU time: its clock is coarse."""
    return Answer(
        statistics.median(answer.first_byte for answer in answers),
        statistics.fmean(answer.cpu for answer in answers),
        answers[-1].size,
    )


def rows(runs: Path, store: Store, times: int) -> Iterator[tuple[str, Answer, Answer, Answer]]:
    """Each page: cold, warm, and warm while a trial runs."""
    cold = {}
    for page in PAGES:
        with served(runs) as server:
            cold[page] = ask(*server, page)
    trial = store.study.ask()
    with served(runs) as server:
        for page in PAGES:
            ask(*server, page)
            warm = [ask(*server, page) for _ in range(times)]
            running = []
            for i in range(times):
                trial.set_user_attr("charged_seconds", float(i))
                running.append(ask(*server, page))
            yield page, cold[page], middle(warm), middle(running)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--sampler", default="evolve")
    parser.add_argument("--times", type=int, default=7, help="that a warm page is asked for")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = parse_study(study_text(given.sampler, "types"), "<study>")
        with claim("study", Path(folder), None) as claimed:
            store = coordinate(claimed, ["maximize"], {TEXT_ATTR: file.text()})
        fill(store, file, given.trials)
        print(
            f"{given.trials:,} trials of {len(file.space().holes)} holes, {given.sampler}; first byte (CPU)"
        )
        print("| page | kB | cold | warm | warm, running |")
        print("|" + " --- |" * 5)
        slowest = 0.0
        for page, cold, warm, running in rows(Path(folder), store, given.times):
            slowest = max(slowest, warm.first_byte, running.first_byte)
            print(
                f"| {page} | {warm.size / 1e3:.0f} | {said(cold)} | {said(warm)} | {said(running)} |",
                flush=True,
            )
    print(f"slowest once warm {1e3 * slowest:.0f} ms; {verdict(slowest < GOAL_SECONDS)}")


def said(answer: Answer) -> str:
    return f"{1e3 * answer.first_byte:.0f} ms ({1e3 * answer.cpu:.0f} ms)"


if __name__ == "__main__":
    main()
