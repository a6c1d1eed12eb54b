"""Studies whose processes are killed with -9 at random moments, and what is left of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import psutil

from benchmarks._soak_again import Again
from benchmarks._soak_readers import Readers, Seen, told
from benchmarks._soak_study import NAME, written
from search.cli.options import INTERRUPTED
from search.errors import StudyError
from search.storage.record import UNFINISHED, Record
from search.storage.study import open_to_read
from tests.command import Command

BETWEEN_SECONDS = 4.0  # mean, of the time between two kills
STARTING_SECONDS = 3.0  # in which a study is made and its first trial begins
PATIENCE_SECONDS = 1800.0  # for the end of a study
# each with its share of the kills
VICTIMS = {"a worker": 4, "the coordinator": 3, "the whole group": 2, "the process that forks workers": 1}
NEED_WORKERS = {"a worker", "the process that forks workers"}


class Found(NamedTuple):
    """What is left of a study after its kills."""

    kills: Mapping[str, int]
    trials: int
    changed: int
    lost: int  # whose folder was there and which the storage did not know
    twice: int
    gaps: int
    unpaired: int
    open: int
    left: int
    difference: float
    bad_ends: int
    answers: Mapping[str, int] = MappingProxyType({})  # to readers, by their act
    missed: int = 0  # trials and marks that a reader saw, and that are not there at the end, or are others


class Victims(Protocol):
    """What may be killed of a study."""

    @property
    def shares(self) -> Mapping[str, int]:
        """The share of each in the kills."""
        ...

    @property
    def changes(self) -> Mapping[str, Any]:
        """The keys of the study's file by which it has such processes."""
        ...

    def await_victim(self, victim: str, command: Command) -> None:
        """Wait until there is one, or the command has ended: on a busy machine there would be one too seldom."""
        ...

    def kill(self, command: Command, victim: str, rng: Random) -> bool:
        """Kill one with -9; return whether there was one."""
        ...


class OfThisMachine:
    """The processes of a study that trains on this machine."""

    shares: Mapping[str, int] = MappingProxyType(VICTIMS)
    changes: Mapping[str, Any] = MappingProxyType({})

    def await_victim(self, victim: str, command: Command) -> None:
        if victim in NEED_WORKERS:
            _await_workers(command)

    def kill(self, command: Command, victim: str, rng: Random) -> bool:
        return killed(command, victim, rng)


def study(folder: Path, kills: int, seed: int, storage: str | None, victims: Victims) -> Found:
    """Run one study to its end while its processes are killed so many times and others read it."""
    budget = {"device_time": f"{kills * BETWEEN_SECONDS:g}s", "rungs": [1, 3]}
    path = written(folder, storage, budget=budget, **victims.changes)
    rng, counted = Random(f"kills/{seed}"), Counter[str]()
    before = Before()
    with (
        Readers(path, folder / "runs", Random(f"readers/{seed}")) as readers,
        closing(Again(path, folder)) as command,
    ):
        while counted.total() < kills:
            victim = rng.choices(list(victims.shares), list(victims.shares.values()))[0]
            victims.await_victim(victim, command.now)
            time.sleep(rng.expovariate(1 / BETWEEN_SECONDS))
            if command.now.poll() not in (None, INTERRUPTED):
                break  # the budget is used up, or it failed
            counted[victim] += command.now.poll() is None and victims.kill(command.now, victim, rng)
            if command.now.poll() is not None:
                before.compare(folder, storage)
                command.begin()
        while (status := command.now.wait(PATIENCE_SECONDS)) == INTERRUPTED:
            command.begin()
    before.compare(folder, storage)
    with closing(open_to_read(NAME, folder / "runs", storage)) as store:
        records, seen = store.records(), readers.seen()
        found = judged(records, store.spent_seconds(), folder, counted, before, int(status != 0))
        return found._replace(answers=seen.answers, missed=_missed(seen, records, store.study.user_attrs))


def makings(folder: Path, studies: int, seed: int) -> int:
    """Kill studies once while they are made, and run each to its end; return how many are not whole then."""
    rng, broken = Random(f"making/{seed}"), 0
    for number in range(studies):
        mine = folder / str(number)
        mine.mkdir()
        path = written(mine, None, trials=2)
        with closing(Again(path, mine)) as command:
            time.sleep(STARTING_SECONDS * rng.random())
            killed(command.now, "the whole group", rng)
            command.begin()
            status = command.now.wait(PATIENCE_SECONDS)
        with closing(open_to_read(NAME, mine / "runs")) as store:
            records = store.records()
        counted = [one for one in records if one.is_counted]
        is_whole = status == 0 and len(counted) == 2 and (mine / "runs" / NAME / "best").is_dir()
        broken += not is_whole
    return broken


def killed(process: Command, victim: str, rng: Random) -> bool:
    """Kill some processes of a run with -9; return whether there were any."""
    coordinator = psutil.Process(process.pid)
    below = coordinator.children(recursive=True)
    forking = [one for one in below if _is_forking(one)]
    workers = [child for one in forking for child in one.children()]
    chosen = {
        "the coordinator": [coordinator],
        "the whole group": [coordinator, *below],
        "the process that forks workers": forking,
        "a worker": rng.sample(workers, min(len(workers), 1)),
    }[victim]
    for one in chosen:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    if coordinator in chosen:
        process.wait()
    return bool(chosen)


def _await_workers(process: Command) -> None:
    """Wait until a run has workers, or has ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with suppress(psutil.Error):
            if any(_is_forking(one) for one in psutil.Process(process.pid).children(recursive=True)):
                return
        time.sleep(0.2)


def _is_forking(process: psutil.Process) -> bool:
    """Whether a process below the coordinator is the parent of workers."""
    try:
        return any(process.children())
    except psutil.Error:
        return False


class Before:
    """What was stored of a study, each time that its run had been killed."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[object, ...]] = {}  # of the trials that have ended
        self.changed, self.lost = set[int](), set[int]()  # of those; of all whose folder there is

    def compare(self, folder: Path, storage: str | None) -> None:
        """Compare what is stored now, and remember the trials that have ended."""
        # a trial is stored before its folder is made
        folders = {int(one.name) for one in (folder / "runs" / NAME / "trials").glob("[0-9]*")}
        try:
            with closing(open_to_read(NAME, folder / "runs", storage)) as store:
                records = {one.number: one for one in store.records()}
        except StudyError:
            records = {}  # nothing is there: right before the study was made, and the loss of all afterwards
        told = {number: _told(one) for number, one in records.items() if one.outcome not in UNFINISHED}
        self.changed |= {number for number, before in self.known.items() if told.get(number) != before}
        self.lost |= folders - {*records}
        self.known |= told


def _told(one: Record) -> tuple[object, ...]:
    """Return what never changes of a trial that has ended; a finale may add to the charge."""
    return (one.outcome, one.values, one.digest, one.genome, one.origin)


def _missed(seen: Seen, records: list[Record], attrs: Mapping[str, Any]) -> int:
    """Return how many trials and marks a reader saw that are not there at the end, or are others."""
    now = {one.number: told(one.outcome, one.values, one.digest) for one in records}
    changed = {number for number, then in seen.ended.items() if now.get(number) != then}
    return len(changed | {*seen.changed}) + sum(attrs.get(mark) is not True for mark in seen.marks)


def judged(
    records: list[Record],
    spent: float,
    folder: Path,
    kills: Mapping[str, int],
    before: Before,
    bad_ends: int,
) -> Found:
    trained = Counter(
        one.digest for one in records if one.outcome in ("done", "pruned", "cut") and one.reused is None
    )
    interrupted = {one.number for one in records if one.outcome == "interrupted"}
    repeated = Counter(one.retry_of for one in records if one.retry_of is not None)
    seconds = sum(one.seconds for one in records)
    unfinished = [one for one in records if one.outcome in UNFINISHED]
    left = [one for one in (folder / "runs" / NAME).rglob("*") if one.name.startswith(".")]
    for what in (*unfinished, *left):
        print(f"  left: {what}", flush=True)
    return Found(
        kills,
        len(records),
        len(before.changed),
        len(before.lost),
        sum(count > 1 for count in trained.values()),
        sum(one.number != number for number, one in enumerate(records)),
        len(interrupted ^ set(repeated)) + sum(count > 1 for count in repeated.values()),
        len(unfinished),
        len(left),
        100 * abs(spent - seconds) / max(seconds, 1e-9),
        bad_ends,
    )
