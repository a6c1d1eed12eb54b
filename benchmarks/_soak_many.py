"""Many short trials on several workers, and one purse that several coordinators spend."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks._soak_kills import Before, judged
from benchmarks._soak_ray import Cluster
from benchmarks._soak_study import NAME, search_words, written
from search.objective import measured_values
from search.storage.record import Record
from search.storage.study import open_to_read
from search.storage.trial_report import stored_report

LOOK_SECONDS = 0.25  # from one reading of the processor seconds to the next
JOB = {"train": {"epochs": 1, "batch": 64}, "budget": None, "pruner": None, "finale": None}
SAMPLER = {"name": "random", "seed": 0}


class Many(NamedTuple):
    """What a study of many trials left, and what it took."""

    trials: int
    # whose result in the storage is not that which its worker wrote
    lost: int
    faults: int  # numbers that are missing, trials without an outcome, temporary files
    # wall time of the command
    seconds: float
    # of the coordinator, and of all processes
    coordinator_seconds: float
    processor_seconds: float


class Purse(NamedTuple):
    """What several coordinators spent of one budget."""

    trials: int
    # above the budget, in % of it; below 0 for what was left
    over: float
    faults: int
    bad_ends: int


def many(folder: Path, trials: int, workers: int, storage: str | None, cluster: Cluster | None) -> Many:
    """Run a study of so many trials on so many workers, on this machine alone or on a Ray cluster.

    The processor seconds of a cluster count among those of all processes; the coordinator's are apart from them.
    """
    folder.mkdir()
    engine = cluster.changes if cluster else {}
    path = written(folder, storage, trials=trials, workers=workers, sampler=SAMPLER, **JOB, **engine)
    began = time.monotonic()
    with _started(path, folder / "log") as command:
        meter = _Meter(command.pid, cluster)
        assert command.wait() == 0, (folder / "log").read_text()[-2000:]
        meter.stop()
    seconds = time.monotonic() - began
    with closing(open_to_read(NAME, folder / "runs", storage)) as store:
        records = store.records()
        faults = _faults(records, store.spent_seconds(), folder)
    lost = trials - len(records) + sum(_is_lost(one, folder) for one in records)
    return Many(len(records), lost, faults, seconds, meter.of(command.pid), meter.all())


def purse(folder: Path, seconds: float, coordinators: int, storage: str) -> Purse:
    """Spend one budget by so many coordinators; each begins when its share of the first half has passed."""
    changes = JOB | {"budget": {"device_time": f"{seconds:g}s"}}
    path = written(folder, storage, workers=1, sampler=SAMPLER, **changes)
    running = []
    for number in range(coordinators):
        running.append(_started(path, folder / f"log{number}"))
        time.sleep(seconds / 2 / coordinators)
    bad_ends = sum(command.wait() != 0 for command in running)
    with closing(open_to_read(NAME, folder / "runs", storage)) as store:
        records, spent = store.records(), store.spent_seconds()
        return Purse(len(records), 100 * (spent / seconds - 1), _faults(records, spent, folder), bad_ends)


def _started(path: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(search_words(path), stdout=stream, stderr=subprocess.STDOUT)


def _is_lost(one: Record, folder: Path) -> bool:
    """Whether the storage has another result than the report of the training, or none."""
    if one.reused is not None:  # a network that was drawn before
        return False
    found = stored_report(folder / "runs" / NAME / "trials" / str(one.number), one.digest, one.number)
    if found is None or (one.outcome, one.epochs) != (found.report.outcome, found.report.epochs):
        return True
    return any(one.metrics.get(name) != value for name, value in measured_values(found.report, found).items())


def _faults(records: Sequence[Record], spent: float, folder: Path) -> int:
    found = judged([*records], spent, folder, {}, Before(), 0)
    return found.gaps + found.open + found.left + found.unpaired + (found.difference > 1)


class _Meter:
    """The processor seconds of a process, of all below it and of a cluster, each as it was last seen."""

    def __init__(self, pid: int, cluster: Cluster | None) -> None:
        self._top, self._cluster = psutil.Process(pid), cluster
        self._seen: dict[tuple[int, float], float] = {}  # by process: a number is used again
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def of(self, pid: int) -> float:
        return sum(seconds for (found, _), seconds in self._seen.items() if found == pid)

    def all(self) -> float:
        return sum(self._seen.values())

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            with suppress(psutil.Error):
                others = self._cluster.processes() if self._cluster else []
                for one in (self._top, *self._top.children(recursive=True), *others):
                    times = one.cpu_times()
                    self._seen[one.pid, one.create_time()] = times.user + times.system
