"""A file lock that names its holder. An embedded study has one, so that one coordinator at a time runs the study."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from search.errors import StudyError

RETRY_SECONDS = 0.05  # until a lock that readers share is tried again
PATIENCE_SECONDS = 10.0  # that readers, one of which may be suspended, are waited for
LONGEST = 300  # bytes of the description of a holder


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path` for `what` while the block runs.

    The kernel releases the lock when the process ends, however it ends, so that a killed holder leaves nothing to
    clean up; the text in the file serves only the error message. Raises StudyError where another process has the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _lock_exclusively(file):
            holder = os.pread(file, LONGEST, 0).decode("utf-8", "replace").strip() or "another process"
            raise StudyError(
                f"{what} is being run by {holder}; wait for that run to end or stop it, then try again"
            )
        os.ftruncate(file, 0)
        os.pwrite(file, _me().encode(), 0)
        yield
    finally:
        os.close(file)  # closing also releases the lock


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file at `path`."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


class Holder(NamedTuple):
    """The process that holds a lock."""

    # "process PID on HOST since TIME", as the process wrote it
    description: str
    # "": unknown
    host: str


def holder(path: Path) -> Holder | None:
    """Return the process that holds the lock file at `path`, None where no living process does."""
    if not is_held(path):
        return None
    try:
        text = path.read_text("utf-8", "replace")[:LONGEST].strip()
    except OSError:
        text = ""
    return Holder(text or "another process", text.partition(" on ")[2].partition(" ")[0])


def _lock_exclusively(file: int) -> bool:
    """Lock an open file, unless another process holds the lock; wait for readers, which share the lock briefly."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not _locked(file, fcntl.LOCK_EX):
        if not _locked(file, fcntl.LOCK_SH) or time.monotonic() > limit:
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(RETRY_SECONDS)
    return True


def _locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _me() -> str:
    started = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {started}\n"
