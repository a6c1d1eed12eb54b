"""What can be had of a trial's folder, and of the export of the study's best where it is this trial's.

A file is one of a few names in a folder that the study's own folder holds; where a link stands in the way, there is
none.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from search.dashboard.studies.library import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.results.export import FORMAT, USAGE_FILE
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE

TRAINED, EXPORT = "trained", "export"
SAYS = {
    (TRAINED, WEIGHTS_FILE): "its weights",
    (TRAINED, REPORT_FILE): "the report of its training",
    (EXPORT, GENOME_FILE): "the exported genome",
    (EXPORT, WEIGHTS_FILE): "the exported weights",
    (EXPORT, REPORT_FILE): "the report of the export, with the test images",
    (EXPORT, USAGE_FILE): "how to use the export",
}
PIECE = 1 << 18  # bytes that are sent at once
LARGEST_REPORT = 1 << 24  # bytes of a report that is read


class Download(NamedTuple):
    """A file that can be downloaded. `size` is in bytes."""

    name: str
    says: str
    href: str
    size: int


def downloads(snapshot: Snapshot, one: TrialView) -> list[Download]:
    """Return the files of a trial that are there."""
    above = links.trial(snapshot.name, one.record.number)
    found = []
    for (part, name), says in SAYS.items():
        try:
            with opened(snapshot, one, part, name) as file:
                size = size_of(file)
        except NotFound:
            continue
        found.append(Download(name, says, f"{above}/{part}/{name}", size))
    return found


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Return what a file holds now, piece by piece, and close it."""
    with file:
        left = size_of(file)
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def opened(snapshot: Snapshot, one: TrialView, part: str, name: str) -> BinaryIO:
    """Return a file of a trial, open. Raises Missing where there is none."""
    if (part, name) not in SAYS or snapshot.folder is None:
        raise NotFound("there is no such file")
    number = one.record.number
    if part == TRAINED:
        return _plain_file(snapshot.folder, "trials", str(number), name)
    if not _is_exports(snapshot.folder, one):
        raise NotFound(f"the export of study {snapshot.name} is not of trial {number}")
    return _plain_file(snapshot.folder, "best", name)


def _is_exports(folder: Path, one: TrialView) -> bool:
    """Whether the export in the study's folder is of this trial."""
    try:
        with _plain_file(folder, "best", REPORT_FILE) as file:
            info: Any = json.loads(file.read(LARGEST_REPORT))
    except (NotFound, OSError, ValueError):
        return False
    is_export = isinstance(info, dict) and info.get("export") == FORMAT
    return is_export and (info.get("trial"), info.get("digest")) == (one.record.number, one.record.digest)


def _plain_file(folder: Path, *parts: str) -> BinaryIO:
    """Open a file below a folder. Raises Missing where it is no plain file, or where a link leads on the way."""
    at = -1
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        for i, part in enumerate(parts):
            # O_NONBLOCK: a pipe that has the place of a file would keep us waiting
            last = os.O_NONBLOCK if i == len(parts) - 1 else os.O_DIRECTORY
            above, at = at, os.open(part, os.O_RDONLY | os.O_NOFOLLOW | last, dir_fd=at)
            os.close(above)
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise NotFound(f"{parts[-1]} is no file")
    except OSError:
        _close(at)
        raise NotFound(f"no {parts[-1]} is kept of it") from None
    except NotFound:
        _close(at)
        raise
    return os.fdopen(at, "rb")


def _close(at: int) -> None:
    if at >= 0:
        os.close(at)
