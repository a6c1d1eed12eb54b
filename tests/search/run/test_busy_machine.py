"""A study on a machine that others keep busy: its trials are not cut, and its finale makes nothing worse."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from search.study import Result
from trainer.system.cpu import usable_cores

NEIGHBOURS = 2  # for each core


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


def test_a_busy_machine_makes_nothing_worse(run: Callable[..., Result], busy: None) -> None:
    """Seen: trials were cut after 5 of 18 epochs, and of two trainings in the finale the better was handed out."""
    result = run(
        objectives="accuracy",
        train={"epochs": 6, "batch": 32},
        budget={"device_time": 3.0, "per_trial": 1.5},
        finale={"share": 0.4, "top": 2, "seeds": 2},
        workers=1,
        trials=None,
    )
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
