"""A study on a machine that others keep busy: its trials are not cut, and its finale makes nothing worse."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from search.run.progress import Silent
from search.storage.record import Record
from search.study import Result
from trainer.system.cpu import usable_cores

NEIGHBOURS = 4  # for each core, so that a second of a processor takes 4.5 of the clock


@pytest.fixture
def busy() -> Iterator[None]:
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(NEIGHBOURS * usable_cores())
    ]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


OF_THE_CLOCK = 0.6  # less than so much of it is charged; by the clock it would be all, by the processor 0.2


class Timed(Silent):
    """The seconds of the clock that each trial took."""

    def __init__(self) -> None:
        self.began_at: dict[int, float] = {}
        self.seconds: dict[int, float] = {}

    def began(self, number: int, params: int, macs: int) -> None:
        self.began_at[number] = time.monotonic()

    def ended(self, record: Record, spent: float) -> None:
        self.seconds[record.number] = time.monotonic() - self.began_at[record.number]


def test_a_busy_machine_makes_nothing_worse(run: Callable[..., Result], busy: None) -> None:
    """Seen: trials were cut after 5 of 18 epochs, and of two trainings in the finale the better was handed out."""
    timed = Timed()
    result = run(
        timed,
        objectives="accuracy",
        train={"epochs": 6, "batch": 32},
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
