"""Candidates in a child process: rows for those that run, no rows for the others, and the child survives."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

import genome
from search.workers.messages import Died, Screened, Screening, Setup
from search.workers.pool import WorkerPool, worker_pool
from search.workers.proxies import IMAGES, screen, spread
from tests.search.conftest import process_of
from trainer import Data, load
from trainer.proxies import PROXIES

TEXT = """genome: small
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: WIDTH}
  body: {op: separable, in: [stem], kernel: 3, width: WIDTH}
  out: {op: exit, in: [body]}
"""
NARROW, WIDE, FAT = (TEXT.replace("WIDTH", str(width)) for width in (4, 8, 30_000))
COLOURED = NARROW.replace("[1, 8, 8]", "[3, 8, 8]")


def task(*genomes: str, **changes: Any) -> Screening:
    job = Screening(7, genomes, ("params", "synflow", "snip"), 0, None, None)
    return job._replace(**changes)


@pytest.fixture(scope="module")
def digits() -> Data:
    return load("digits")


@pytest.fixture
def hands() -> Iterator[WorkerPool]:
    with worker_pool([Setup("digits", None, None, None, "cpu", 1)]) as found:
        while not found.slots[0].is_ready:
            found.wait(0.2)
        yield found


def told(hands: WorkerPool, job: Screening) -> Any:
    hands.give(hands.slots[0], job)
    events: list[Any] = []
    while not events:
        events = hands.wait(0.2)
    return events[0]


def test_a_child_measures_candidates_one_after_another_and_goes_on(hands: WorkerPool) -> None:
    child = process_of(hands.slots[0]).pid
    said = told(hands, task(NARROW, COLOURED, FAT, WIDE, memory_bytes=300 * 2**20))
    assert isinstance(said, Screened) and said.number == 7 and said.seconds > 0
    narrow, coloured, fat, wide = said.rows
    assert coloured is None and fat is None
    assert narrow is not None and wide is not None
    assert narrow["params"] == genome.resolve(genome.loads(NARROW)).params
    assert narrow["synflow"] < wide["synflow"]
    assert hands.free() and told(hands, task(NARROW)).rows == (narrow,)
    assert process_of(hands.slots[0]).pid == child


def test_a_child_that_is_killed_while_it_screens_says_whose_candidates_they_were(hands: WorkerPool) -> None:
    child = process_of(hands.slots[0]).pid
    assert child is not None
    os.kill(child, signal.SIGSTOP)
    hands.give(hands.slots[0], task(NARROW))
    os.kill(child, signal.SIGKILL)
    events: list[Any] = []
    while not events:
        events = hands.wait(0.2)
    (event,) = events
    assert isinstance(event, Died) and event.number == 7
    assert hands.free()


def test_every_proxy_is_measured_on_real_images(digits: Data) -> None:
    (row,) = screen(task(NARROW, proxies=PROXIES), digits, "cpu", lambda: False).rows
    assert row is not None and list(row) == list(PROXIES)


def test_when_time_is_up_or_the_person_wants_an_end_the_rest_has_no_rows(digits: Data) -> None:
    in_time = screen(task(NARROW, WIDE, most_seconds=1e-9), digits, "cpu", lambda: False)
    assert in_time.rows[0] is not None and in_time.rows[1] is None
    assert screen(task(NARROW, WIDE), digits, "cpu", lambda: True).rows == (None, None)


def test_images_are_spread_over_the_classes_of_a_sorted_folder(digits: Data) -> None:
    assert spread(5, 32) == [0, 1, 2, 3, 4]
    assert spread(100, 4) == [0, 25, 50, 75]
    labels = digits.train.y.sort().values[spread(len(digits.train), IMAGES)]
    assert len(set(labels.tolist())) == 10
