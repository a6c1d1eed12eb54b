"""A lock that says who holds it: one coordinator for each embedded study."""

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

GLANCE_SECONDS = 0.05  # until a lock that others only look at is tried again
PATIENCE_SECONDS = 10.0  # with those who look; one of them may be stopped meanwhile
LONGEST = 300  # bytes of what a holder says of itself


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path` for `what` while the block runs.

    The kernel drops the lock when its process ends, however it ends, so a killed holder leaves nothing
    to clean up; the text in the file serves only the message. Raises StudyError when another holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _took(file):
            holder = os.pread(file, LONGEST, 0).decode("utf-8", "replace").strip() or "another process"
            raise StudyError(f"{what} is being run by {holder}; wait for it, or stop it and run this again")
        os.ftruncate(file, 0)
        os.pwrite(file, _me().encode(), 0)
        yield
    finally:
        os.close(file)  # which also drops the lock


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
    """Who holds a lock, as it says itself, and the name of its machine."""

    said: str
    host: str


def holder(path: Path) -> Holder | None:
    """Return who holds the lock file at `path`, None where no living process does."""
    if not is_held(path):
        return None
    try:
        said = path.read_text("utf-8", "replace")[:LONGEST].strip()
    except OSError:
        said = ""
    return Holder(said or "another process", said.partition(" on ")[2].partition(" ")[0])


def _took(file: int) -> bool:
    """Lock an open file, unless another holds it. Who only looks shares it for a moment, and is waited for."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not _locked(file, fcntl.LOCK_EX):
        if not _locked(file, fcntl.LOCK_SH) or time.monotonic() > limit:
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(GLANCE_SECONDS)
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
