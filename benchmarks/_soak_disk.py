"""A study whose disk becomes full, again and again, at the moments at which it writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks._soak_again import TRACEBACK, Again
from benchmarks._soak_kills import PATIENCE_SECONDS, Before, Found, judged
from benchmarks._soak_study import NAME, written
from search.results.exported import load_export
from search.storage.study import BEST, open_to_read
from tests.command import Command

DISK = "64m"
LEFT_BYTES = 1 << 18  # at most, that a filled disk has left
FILLED_SECONDS = 5.0  # at most
# of the commands that end by it are given once more before there is room, which then comes after these seconds
BLIND_SHARE, BLIND_SECONDS = 0.3, 20.0
LOOK_SECONDS = 0.005
TRIALS = 4  # by which the study grows each time that it has ended
STATUSES = (0, 2)  # of a command: it went on to its end, or said why not
MOST_REFUSED = 5  # a study that does not go on any more ends the part
SAID_BYTES = 2000  # of a command that ends badly, shown


class Moment(NamedTuple):
    """A moment at which the disk becomes full."""

    share: int
    # the files of a study by which it is known: one is new
    files: tuple[str, ...]
    # after that, at most
    seconds: float


MOMENTS = {
    "a trial": Moment(3, ("trials/*",), 1.5),
    "a checkpoint": Moment(3, ("trials/*/.checkpoint.*", "trials/*/checkpoint"), 0.02),
    "the finale": Moment(2, ("trials/*/seeds/*",), 1.5),
    "the export": Moment(2, ("trials/*/seeds/*/evaluation.json", "trials/*/evaluation.json", ".best.*"), 0.1),
}


class Full(NamedTuple):
    """What is left of a study after its disk was full."""

    # by moment
    filled: Mapping[str, int]
    # commands that ended by it, with a sentence
    ended: int
    # commands that ended with a traceback, or without a sentence
    tracebacks: int
    # commands that ended although there was room all the time
    refused: int
    # trials whose network is blamed for the disk
    failed: int
    found: Found


def fills(folder: Path, count: int, seed: int) -> Full:
    """Run one study to its end while its disk becomes full so many times. Raises StudyError where best/ is not whole."""
    rng = Random(f"disk/{seed}")
    with _small_disk(folder / "runs") as disk, closing(_Study(folder, rng)) as study:
        while study.filled.total() < count:
            moment = rng.choices(list(MOMENTS), [one.share for one in MOMENTS.values()])[0]
            study.fill(moment, disk)
            if study.command.now.poll() is not None:
                study.go_on()
        while study.command.now.wait(PATIENCE_SECONDS) != 0:
            study.go_on()
        study.end()
        load_export(disk / NAME / BEST)
        with closing(open_to_read(NAME, disk)) as store:
            records = store.records()
            found = judged(records, store.spent_seconds(), folder, {}, study.before, 0)
    failed = [one for one in records if one.outcome == "failed"]
    for one in failed:
        print(f"  trial {one.number} failed: {one.reason}", flush=True)
    return Full(study.filled, study.ended, study.tracebacks, study.refused, len(failed), found)


class _Study:
    """A study that grows each time that it has ended, and its command."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.before, self.filled = Before(), Counter[str]()
        self.ended = self.tracebacks = self.refused = 0
        self._folder, self._rng, self._trials = folder, rng, TRIALS
        self._is_disturbed = False  # whether the disk was full in the present run
        self.command = Again(self._grown(), folder)

    def fill(self, moment: str, disk: Path) -> None:
        """Let the disk be full for a while from such a moment on, unless the command ends before."""
        if not _has_come(MOMENTS[moment], self.command.now, disk / NAME):
            return
        time.sleep(self._rng.random() * MOMENTS[moment].seconds)
        if self.command.now.poll() is not None:
            return
        self.filled[moment] += 1
        self._is_disturbed = True
        with _full(disk, self._rng.choice((0, self._rng.randrange(LEFT_BYTES)))):
            self._wait(self._rng.random() * FILLED_SECONDS)
            if self.command.now.poll() is not None and self._rng.random() < BLIND_SHARE:
                self._note()
                self.command.begin()
                self._wait(BLIND_SECONDS)

    def go_on(self) -> None:
        """Give the command again when it has ended; a study at its end gets more trials."""
        if self.end() == 0:
            self._trials += TRIALS
            self._grown()
        self.command.begin()

    def end(self) -> int:
        """Compare what is stored when the command has ended, and return its status."""
        status = self._note()
        assert self.refused <= MOST_REFUSED, "the command does not go on although there is room"
        self._is_disturbed = False
        self.before.compare(self._folder, None)
        return status

    def close(self) -> None:
        self.command.close()

    def _note(self) -> int:
        """Note how the command ended."""
        status, said = self.command.now.wait(), self.command.said()
        is_bad = status not in STATUSES or TRACEBACK in said
        if is_bad or (status and not self._is_disturbed):
            print(f"  status {status}\n{said[-SAID_BYTES:].decode()}", flush=True)
        self.ended += status != 0
        self.tracebacks += is_bad
        self.refused += status != 0 and not self._is_disturbed
        return status

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.command.now.wait(seconds)

    def _grown(self) -> Path:
        return written(self._folder, None, budget={"rungs": [1, 3]}, trials=self._trials)


def _has_come(moment: Moment, command: Command, study: Path) -> bool:
    """Wait for new files of a kind; return whether they came before the command ended."""
    began = time.time()
    while command.poll() is None:
        for pattern in moment.files:
            for file in study.glob(pattern):
                with suppress(FileNotFoundError):
                    if file.stat().st_ctime > began:
                        return True
        time.sleep(LOOK_SECONDS)
    return False


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Make a small disk in the memory; its folder is named as it is mounted."""
    if os.geteuid() or not shutil.which("mount"):
        raise SystemExit("the part disk needs mount and the user root, who may make a disk in the memory")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "genome-soak", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _full(disk: Path, left: int) -> Iterator[None]:
    """Fill a disk but for so many bytes while the block runs."""
    filler = disk / "filler"
    try:
        with filler.open("wb") as file:
            with suppress(OSError):  # what the study writes meanwhile is not there for the filler
                while free := max(shutil.disk_usage(disk).free - left, 0):
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
        yield
    finally:
        filler.unlink()
