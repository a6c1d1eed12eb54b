"""First byte of each page of the dashboard over a study of 5,000 trials of 60 holes, and its table in a browser.

The study is filled as in `sampling_cost.py`. The command `genome dashboard` serves it on a free port of this machine.
Each page is requested over a new connection. The measured time ends when the status line has arrived; the page is
complete then, because the server does not stream. The table also shows the CPU time of the server, which a busy
machine changes less.

- cold: the first request to a fresh server, which has read nothing. After 150 ms a page answers that the server is
  reading its study (202), and reloads by itself; `whole` is the time until the page is complete. Twins, pictures,
  texts and parts answer only when the study has been read.
- named: the same request to a server that was given the study two seconds ago, as when a person clicks its address.
- warm: a repeated request of a study that nobody writes.
- running: the study is `running`, and a trial ends before each request, so that the server computes its numbers
  again.

Samplers of Optuna's (`--sampler tpe`) also store each hole as a parameter, which the dashboard does not read.

In a browser (headless Chromium): the time from the click that sorts or filters the table until the rows are shown,
the time of a frame while the page scrolls, while the pointer passes over the chart of all networks and while that is
panned, and the time in which the page is printed.

Beside Optuna's dashboard, where it is installed (`pip install optuna-dashboard`): the bytes that are sent and the time
until the first row of the table of trials, of the same database with an empty cache of the browser.

Goals: under 100 ms warm and under 200 ms running; frames under 25 ms at the 95th percentile; 1/500 of the bytes and
1/50 of the time of Optuna's dashboard; for 1,000 trials, a report under 5 MB in under 10 s.

    python benchmarks/dashboard.py [--trials 5000] [--sampler evolve] [--times 7]
                                   [--parts pages browser optuna report]
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))
from _dashboard_browser import (
    ROW,
    ROW_OF_OPTUNA,
    Loaded,
    browser,
    first_row,
    of_chart,
    of_print,
    of_table,
    optuna_dashboard,
)
from sampling_cost import TRIAL_SECONDS, fill, study_text, verdict

from search.config.read import parse_study
from search.storage.ledger import SEARCH, new_id
from search.storage.ledger_table import TABLE
from search.storage.study import TEXT_ATTR, Store, claim, open_to_run

GOAL_SECONDS, RUNNING_SECONDS = 0.1, 0.2
PARTS = ("pages", "browser", "optuna", "report")
NAMED_SECONDS = 2.0
SLOTS, WORKER = 2, "here:1:100.00"
MOMENT = "%Y-%m-%d %H:%M:%S.%f"  # of Optuna's tables
STUDY = "/study/study"
PAGES = (
    "/",
    STUDY,
    f"{STUDY}?sort=-accuracy&op=conv&params_to=150000",
    f"{STUDY}?page=50",
    f"{STUDY}.json",
    f"{STUDY}/part/summary",
    f"{STUDY}/part/table?sort=-accuracy&op=conv&params_to=150000",
    f"{STUDY}/part/best?at_most=100k",
    f"{STUDY}/plot/against.json",
    f"{STUDY}/plot/budget.json",
    f"{STUDY}/plot/curves.json",
    f"{STUDY}/plot/history.json",
    f"{STUDY}/plot/volume.json",
    f"{STUDY}/plot/fronts.json",
    f"{STUDY}/part/findings",
    f"{STUDY}/genes",
    f"{STUDY}/activity",
    f"{STUDY}/trial/77",
    f"{STUDY}/trial/77.json",
    f"{STUDY}/trial/77/picture.svg",
    f"{STUDY}/trial/77/genome.yaml",
    f"{STUDY}/compare?trial=77&trial=78&trial=79&trial=80",
)


def lay_out(store: Store) -> None:
    """Spread the trials over the time of two slots, each of them with its row in the ledger."""
    apart = TRIAL_SECONDS / SLOTS
    now = datetime.now().timestamp()
    with closing(sqlite3.connect(store.folder / "study.db")) as connection, connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM trials ORDER BY number")]
        first = now - apart * len(numbers) - TRIAL_SECONDS
        times = [(first + apart * n, first + apart * n + TRIAL_SECONDS) for n in numbers]
        connection.executemany(
            "UPDATE trials SET datetime_start = ?, datetime_complete = ? WHERE number = ?",
            [(*(f"{datetime.fromtimestamp(at):{MOMENT}}" for at in times[n]), n) for n in numbers],
        )
        rows = [
            (new_id(), 1, n, None, SEARCH, WORKER, f"cpu:{n % SLOTS}", 1.0, TRIAL_SECONDS, 0.0, *times[n], 0)
            for n in numbers
        ]
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({', '.join('?' * 13)})", rows)


class Answer(NamedTuple):
    """The answer to one request for a page."""

    first_byte: float  # seconds until the first byte
    cpu: float  # CPU seconds of the server
    size: int  # bytes
    status: int
    whole: float  # seconds until the page is complete


@contextmanager
def served(runs: Path, *named: str) -> Iterator[tuple[str, int]]:
    """Start a fresh server; yield its host and port, and its process id."""
    command = [sys.executable, "-m", "search", "dashboard", *named, "--runs", str(runs), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield urlsplit(process.stdout.readline().split()[-1]).netloc, process.pid
    finally:
        process.kill()
        process.communicate()


def ask(place: str, process: int, page: str) -> Answer:
    """Request a page over a new connection, again while the answer says that the study is being read."""
    began, cpu = time.perf_counter(), cpu_seconds(process)
    status, first_byte, content = once(place, page)
    said = status
    while said == 202 or (page == "/" and b"loading .." in content):
        time.sleep(0.05)
        said, _, content = once(place, page)
    assert said == 200, page
    return Answer(first_byte, cpu_seconds(process) - cpu, len(content), status, time.perf_counter() - began)


def once(place: str, page: str) -> tuple[int, float, bytes]:
    """Return the status of an answer, the seconds until its first byte, and its content."""
    connection, began = HTTPConnection(place, timeout=600), time.perf_counter()
    connection.request("GET", page)
    answer = connection.getresponse()
    first_byte = time.perf_counter() - began
    content = answer.read()
    connection.close()
    return answer.status, first_byte, content


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process so far, to a hundredth of a second."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def middle(answers: list[Answer]) -> Answer:
    """Return the median first byte, and the mean CPU time, whose clock is coarse."""
    return answers[-1]._replace(
        first_byte=statistics.median(answer.first_byte for answer in answers),
        cpu=statistics.fmean(answer.cpu for answer in answers),
    )


class Row(NamedTuple):
    """A page in each state of its server."""

    page: str
    cold: Answer
    named: Answer
    warm: Answer
    running: Answer

    def is_met(self) -> bool:
        """Whether the answers met the goals."""
        return self.warm.first_byte < GOAL_SECONDS and self.running.first_byte < RUNNING_SECONDS


def rows(runs: Path, store: Store, times: int) -> Iterator[Row]:
    """Measure each page in each state."""
    cold, named = {}, {}
    for page in PAGES:
        with served(runs) as server:
            cold[page] = ask(*server, page)
        with served(runs, "study") as server:
            time.sleep(NAMED_SECONDS)
            named[page] = ask(*server, page)
    ended, warm = store.study.get_trials(deepcopy=False)[0], {}
    with served(runs) as server:
        for page in PAGES:
            ask(*server, page)
            warm[page] = middle([ask(*server, page) for _ in range(times)])
        store.study.ask()  # a trial that runs
        for page in PAGES:
            running = []
            for _ in range(times):
                store.study.add_trial(ended)  # one more of the same kind
                running.append(ask(*server, page))
            yield Row(page, cold[page], named[page], warm[page], middle(running))


def in_browser(runs: Path, times: int) -> Iterator[tuple[str, float]]:
    """Measure what a person waits for in a browser."""
    with served(runs, "study") as (place, _), browser() as chromium:
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        time.sleep(NAMED_SECONDS)
        began = time.perf_counter()
        page.goto(f"http://{place}{STUDY}")
        yield "page opened, with its charts", time.perf_counter() - began
        yield from of_chart(page)
        yield "page printed", of_print(page)
        yield from of_table(page, times)


def beside_optuna(runs: Path, times: int) -> Iterator[str]:
    """Open the table of trials here and in Optuna's dashboard of the same database; yield the lines of a table."""
    found: dict[str, Loaded] = {}
    with browser() as chromium:
        with served(runs, "study") as (place, _):
            time.sleep(NAMED_SECONDS)
            found["this"] = _usual(chromium, f"http://{place}{STUDY}", ROW, times)
        with optuna_dashboard(runs / "study" / "study.db") as address:
            found["Optuna's"] = _usual(chromium, address, ROW_OF_OPTUNA, min(times, 3))
    for name, one in found.items():
        yield f"| {name} | {one.size / 1e3:,.0f} kB | {one.seconds:.2f} s | {one.whole / 1e3:,.0f} kB |"
    ours, theirs = found.values()
    ratios = theirs.size / ours.size, theirs.seconds / ours.seconds, theirs.whole / ours.whole
    yield "| times | " + " | ".join(f"{ratio:,.1f}" for ratio in ratios) + " |"


def _usual(chromium: Any, address: str, row: str, times: int) -> Loaded:
    opened = [first_row(chromium, address, row) for _ in range(times)]
    seconds, size, whole = (statistics.median(numbers) for numbers in zip(*opened, strict=True))
    return Loaded(seconds, int(size), int(whole))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--sampler", default="evolve")
    parser.add_argument("--times", type=int, default=7, help="requests of a warm page")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name)
        file = parse_study(study_text(given.sampler, "types"), "<study>")
        with claim("study", runs, None) as claimed:
            store = open_to_run(claimed, ["maximize"], {TEXT_ATTR: file.text()})
        fill(store, file, given.trials)
        lay_out(store)
        print(f"{given.trials:,} trials of {len(file.space.holes)} holes, {given.sampler}")
        if "report" in given.parts:
            to, began = runs / "report.html", time.perf_counter()
            command = [
                sys.executable,
                "-m",
                "search",
                "report",
                "study",
                "--runs",
                str(runs),
                "--to",
                str(to),
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            size, seconds = to.stat().st_size, time.perf_counter() - began
            print(f"report.html: {size / 1e6:.2f} MB, {seconds:.1f} s", flush=True)
        if "optuna" in given.parts:
            print("\n| dashboard | sent until the first row | first row | sent half a second later |")
            print("| --- | --- | --- | --- |")
            for line in beside_optuna(runs, given.times):
                print(line, flush=True)
        if "browser" in given.parts:
            print("\n| in a browser | |\n| --- | --- |")
            for what, seconds in in_browser(runs, given.times):
                print(f"| {what} | {1e3 * seconds:.0f} ms |", flush=True)
        if "pages" in given.parts:
            print_pages(runs, store, given.times)


def print_pages(runs: Path, store: Store, times: int) -> None:
    """Print the first byte of each page, with the CPU time of the server."""
    print("\n| page | kB | cold | whole | named | warm | running |")
    print("|" + " --- |" * 7)
    met = []
    for row in rows(runs, store, times):
        met.append(row.is_met())
        print(
            f"| {row.page} | {row.warm.size / 1e3:.0f} | {said(row.cold)} | {1e3 * row.cold.whole:.0f} ms | "
            f"{said(row.named)} | {said(row.warm)} | {said(row.running)} |",
            flush=True,
        )
    print(
        f"under {1e3 * GOAL_SECONDS:.0f} ms warm, {1e3 * RUNNING_SECONDS:.0f} ms running: {verdict(all(met))}"
    )


def said(answer: Answer) -> str:
    status = "" if answer.status == 200 else f", {answer.status}"
    return f"{1e3 * answer.first_byte:.0f} ms ({1e3 * answer.cpu:.0f} ms{status})"


if __name__ == "__main__":
    main()
