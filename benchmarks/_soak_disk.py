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

from benchmarks._soak_growing import Ends, Growing
from benchmarks._soak_study import NAME, SPACE

DISK = "64m"
LEFT_BYTES = 1 << 18  # at most, that a filled disk has left
# of wide networks: there may be room for the rows of the storage, and none for weights
WIDE = {**SPACE, "widths": {"rule": "add", "base": {"int": [8, 64]}, "alpha": {"float": [4, 8]}}}
TRAIN = {"epochs": 4, "batch": 64}
FULL_SECONDS = 5.0  # at most
# of the commands that end by it are given once more before there is room, which then comes after these seconds
BLIND_SHARE, BLIND_SECONDS = 0.3, 20.0
LOOK_SECONDS = 0.005


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

    filled: Mapping[str, int]  # by moment
    ends: Ends


def fills(folder: Path, count: int, seed: int) -> Full:
    """Run one study to its end while its disk becomes full so many times.

    Raises StudyError where the export of the best network cannot be read at the end.
    """
    rng, filled = Random(f"disk/{seed}"), Counter[str]()
    with _small_disk(folder / "runs") as disk, closing(Growing(folder, space=WIDE, train=TRAIN)) as study:
        while filled.total() < count:
            moment = rng.choices(list(MOMENTS), [one.share for one in MOMENTS.values()])[0]
            filled[moment] += _fill(MOMENTS[moment], study, disk, rng)
            if study.has_ended:
                study.go_on()
        study.finish()
        return Full(filled, study.ends())


def _fill(moment: Moment, study: Growing, disk: Path, rng: Random) -> bool:
    """Let the disk be full for a while from such a moment on; return False where the command ends before."""
    if not _has_come(moment, study, disk / NAME):
        return False
    time.sleep(rng.random() * moment.seconds)
    if study.has_ended:
        return False
    study.disturb()
    with _full(disk, rng.choice((0, rng.randrange(LEFT_BYTES)))):
        if study.wait(rng.random() * FULL_SECONDS) and rng.random() < BLIND_SHARE:
            study.retry()
            study.wait(BLIND_SECONDS)
    return True


def _has_come(moment: Moment, study: Growing, folder: Path) -> bool:
    """Wait for new files of a kind; return whether they came before the command ended."""
    began = time.time()
    while not study.has_ended:
        for pattern in moment.files:
            for file in folder.glob(pattern):
                with suppress(FileNotFoundError):
                    if file.stat().st_ctime > began:
                        return True
        time.sleep(LOOK_SECONDS)
    return False


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Make a small disk in the memory, in a folder that is made."""
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
        # what the study writes meanwhile is not there for the filler
        with filler.open("wb") as file, suppress(OSError):
            while free := max(shutil.disk_usage(disk).free - left, 0):
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
        yield
    finally:
        filler.unlink()
