"""Which file stands in a place and when it was last written: the signs by which a changed storage is noticed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from search.storage.connect import log_of, sqlite_file
from search.storage.lock import is_in_use

SETTLED_SECONDS = 2.0  # a file whose last write is older gets another time stamp by its next write


class FileStamp(NamedTuple):
    """The identity, size and time of a file."""

    device: int
    node: int  # inode
    size: int  # bytes
    changed: int  # unix nanoseconds of the last write


StorageStamp = tuple[FileStamp | None, ...]


def storage_stamp(url: str) -> StorageStamp | None:
    """Return what every write to an SQLite storage changes.

    None where a process writes at present, where the last write is too recent, and for another kind of storage.
    """
    file = sqlite_file(url)
    if file is None or is_in_use(file):
        return None
    stamps = tuple(_stamp(one) for one in (file, log_of(file)))
    newest = max((stamp.changed for stamp in stamps if stamp is not None), default=0) / 1e9
    return stamps if time.time() - newest > SETTLED_SECONDS else None


def file_identity(url: str) -> tuple[int, ...] | None:
    """Return what tells the file of an SQLite storage from another file in its place; None where there is no file."""
    file = sqlite_file(url)
    if file is None:
        return ()
    found = _stamp(file)
    return (found.device, found.node) if found else None


def _stamp(file: Path) -> FileStamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return FileStamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
