"""A file lock that names its holder. An embedded study has one, so that one coordinator at a time runs the study."""

from __future__ import annotations

import errno
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import NamedTuple

from search.errors import StudyError
from trainer import files
from trainer.system import file_lock

RETRY_SECONDS = 0.05  # until a lock that readers share is tried again
PATIENCE_SECONDS = 10.0  # that readers, one of which may be suspended, are waited for
LOOK_SECONDS = 0.5  # that a look at the lock takes at most, where it cannot be told from a holder
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}", re.ASCII)  # the same in file systems that ignore case
LONGEST = 300  # bytes of the description of a holder


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path` for `what` while the block runs.

    The kernel releases the lock when the process ends, however it ends, so that a killed holder leaves nothing to
    clean up; the text in the file serves only the error message. Raises StudyError where another process has the lock,
    and where the file cannot be written.
    """
    with writable(what, path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        if not _lock_exclusively(file):
            holder = os.read(file, LONGEST).decode("utf-8", "replace").strip() or "another process"
            raise StudyError(
                f"{what} is being run by {holder}; wait for that run to end or stop it, then try again"
            )
        try:
            os.ftruncate(file, 0)
            os.write(file, _me().encode())
        except OSError as error:  # of a descriptor: it names no file
            raise OSError(error.errno, error.strerror, str(path)) from None
        try:
            yield
        finally:
            file_lock.unlock(file)
    finally:
        os.close(file)


@contextmanager
def writable(what: str, folder: Path) -> Iterator[None]:
    """Raise StudyError, one sentence, where the block may not write to a folder that `what` needs."""
    try:
        yield
    except OSError as error:
        if error.errno not in FORBIDDEN:
            raise
        raise StudyError(
            f"{what} cannot run in {folder}, which this user may only read ({error.strerror}: {error.filename}); "
            "copy the folder to a place where you may write, or name another one"
        ) from None


def lock_of(file: Path, study: str) -> Path:
    """Return the lock file of a study in an SQLite file: each study of a file has its own, whatever its name.

    It is the same by whatever link the file is named.
    """
    file = file.resolve()
    is_own = (file.parent.name, file.name) == (study, "study.db")  # in the folder of the study
    return file.with_name(f"{file.name}.lock" if is_own else f"{file.name}.{_word(study)}.lock")


def _word(study: str) -> str:
    """Return the name of a study as a part of a file's name."""
    return study if PLAIN.fullmatch(study) else files.sha256(study.encode("utf-8", "surrogatepass"))[:16]


def is_in_use(file: Path) -> bool:
    """Whether a living process holds the lock of any study in an SQLite file."""
    file = file.resolve()
    return any(is_held(path) for path in file.parent.glob(f"{escape(file.name)}*.lock"))


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file at `path`."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        if is_free := file_lock.lock_shared(file):
            file_lock.unlock(file)
        return not is_free
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
    limit = time.monotonic() + (PATIENCE_SECONDS if file_lock.SHARES else LOOK_SECONDS)
    while not file_lock.lock(file):
        if time.monotonic() > limit or (file_lock.SHARES and not file_lock.lock_shared(file)):
            return False
        if file_lock.SHARES:
            file_lock.unlock(file)
        time.sleep(RETRY_SECONDS)
    return True


def _me() -> str:
    started = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {started}\n"
