"""A study on a machine that others keep busy: its trials are not cut, and its finale makes nothing worse."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from search.run.progress import Silent
from search.storage.record import Record
from search.study import Result

NEIGHBOURS = 2  # on the core of the study, so that a second of the processor takes three of the clock


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep the study to one core, with neighbours: other tests have the others."""
    cores = os.sched_getaffinity(0)
    pin({max(cores)})
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(NEIGHBOURS)]
    yield
    pin(cores)
    for loop in loops:
        loop.kill()
        loop.wait()


def pin(cores: set[int]) -> None:
    """Keep this process and its fork server, which may have begun before, to these cores."""
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        os.sched_setaffinity(process.pid, cores)


OF_THE_CLOCK = (
    0.6  # less than so much of it is charged; by the clock it would be all, by the processor a third
)


class Timed(Silent):
    """The seconds of the clock that each trial took."""

    def __init__(self) -> None:
        self.began_at: dict[int, float] = {}
        self.seconds: dict[int, float] = {}

    def began(self, number: int, params: int, macs: int) -> None:
        self.began_at[number] = time.monotonic()

    def ended(self, record: Record, spent: float) -> None:
        self.seconds[record.number] = time.monotonic() - self.began_at[record.number]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a core")
def test_a_busy_machine_makes_nothing_worse(run: Callable[..., Result], busy: None) -> None:
    """Seen: trials were cut after 5 of 18 epochs, and of two trainings in the finale the better was handed out."""
    timed = Timed()
    result = run(
        timed,
        objectives="accuracy",
        train={"epochs": 4, "batch": 32},
        budget={"device_time": 60.0, "per_trial": 20.0},
        finale={"share": 0.4, "top": 2, "seeds": 2},
        workers=1,
        trials=2,
    )
    charged = {one.number: one.search_seconds for one in result.records}
    assert all(charged[n] < OF_THE_CLOCK * seconds for n, seconds in timed.seconds.items()), charged
    searched = [record for record in result.records if record.values is not None]
    assert not [record for record in searched if record.kind == "timeout"], "no neighbour cuts a trial"
    assert result.exported is not None
    valid = json.loads((result.exported / "report.json").read_text())["accuracy"]["valid"]
    best = max(searched, key=lambda record: record.metrics["accuracy"])
    (winner,) = result.best
    if "the best of the search stands" in result.stop:
        assert valid == best.metrics["accuracy"]
    else:
        assert winner.finale is not None and len(winner.finale.compared) >= 2
        assert valid >= winner.metrics["accuracy"]
