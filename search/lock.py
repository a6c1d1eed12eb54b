"""A lock that says who holds it: one coordinator for each embedded study."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from .errors import StudyError


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path` for `what` while the block runs.

    The kernel drops the lock when its process ends, however it ends, so a killed holder leaves nothing
    to clean up; the text in the file serves only the message. Raises StudyError when another holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 300, 0).decode("utf-8", "replace").strip() or "another process"
            raise StudyError(
                f"{what} is being run by {holder}; wait for it, or stop it and run this again"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, _me().encode(), 0)
        yield
    finally:
        os.close(file)  # which also drops the lock


def _me() -> str:
    started = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {started}\n"
