"""Locks on open files, which the system releases when their process ends, however it ends."""

import errno
import os
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FAR = 1 << 30  # Windows keeps others from reading the byte that is locked: one that no file has

SHARES = fcntl is not None  # whether `lock_shared` shares
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


def lock(file: int) -> bool:
    """Lock an open file for this process alone; False where another open file has a lock on it. Does not wait."""
    return _flock(file, fcntl.LOCK_EX) if fcntl is not None else _region(file, "LK_NBLCK")


def lock_shared(file: int) -> bool:
    """Lock an open file together with others that do the same; False where one has it alone. Does not wait.

    Windows has no shared locks in Python: there, the file is locked for this process alone.
    """
    return _flock(file, fcntl.LOCK_SH) if fcntl is not None else _region(file, "LK_NBLCK")


def unlock(file: int) -> None:
    """Release the lock; closing the file does so too."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)
    else:
        _region(file, "LK_UNLCK")


def wait_and_lock(file: int) -> None:
    """Lock an open file for this process alone, as soon as the others have released it. Raises OSError."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    while not _region(file, "LK_LOCK"):  # Windows tries for ten seconds
        pass


def _flock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _region(file: int, how: str) -> bool:
    import msvcrt  # Windows

    windows: Any = msvcrt
    at = os.lseek(file, 0, os.SEEK_CUR)
    os.lseek(file, _FAR, os.SEEK_SET)
    try:
        windows.locking(file, getattr(windows, how), 1)
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return False
    finally:
        os.lseek(file, at, os.SEEK_SET)
    return True
