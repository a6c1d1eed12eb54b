"""Names in folders: replacing what has a name, making that durable, and opening a file without following links."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PATIENCE_SECONDS = 2.0  # that a file which another process has open is waited for
AGAIN_SECONDS = 0.02


def replace(source: Path, target: Path) -> None:
    """Rename a file, in place of one that may have the name. Raises OSError.

    Windows refuses while another process has one of the two open, which a reader has for a moment: see `_patiently`.
    """
    _patiently(lambda: os.replace(source, target))


def rename(source: Path, target: Path) -> None:
    """Rename a folder to a name that is free. Raises OSError."""
    _patiently(lambda: os.rename(source, target))


def sync(folder: Path) -> None:
    """Make renames in a folder durable, where the system lets a folder be opened for that; Windows does not."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        if hasattr(os, "O_DIRECTORY"):
            raise
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_regular(folder: Path, parts: tuple[str, ...]) -> BinaryIO:
    """Open the regular file at `parts` below a folder. Raises OSError, also where a link is part of its path."""
    if os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW"):
        return _checked(_opened_step_by_step(folder, parts))
    return _checked(_opened_after_a_look(folder, parts))


def _patiently(rename: Callable[[], None]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return rename()
        except PermissionError as error:
            # only Windows gives a number of its own: a POSIX system means it
            if not hasattr(error, "winerror") or time.monotonic() > limit:
                raise
        time.sleep(AGAIN_SECONDS)


def _opened_step_by_step(folder: Path, parts: tuple[str, ...]) -> int:
    """Open each part below the open folder before it, so that nobody can put a link in between."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for i, part in enumerate(parts):
        # O_NONBLOCK: opening a pipe in the place of a file would block
        last = os.O_NONBLOCK if i == len(parts) - 1 else os.O_DIRECTORY
        try:
            inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | last, dir_fd=at)
        finally:
            os.close(at)
        at = inner
    return at


def _opened_after_a_look(folder: Path, parts: tuple[str, ...]) -> int:
    """Open a file whose path had no link, and check that it is the file that was seen there."""
    path = folder
    for part in parts:
        path = path / part
        seen = path.lstat()
        is_link = stat.S_ISLNK(seen.st_mode) or bool(getattr(seen, "st_reparse_tag", 0))
        if is_link or not (stat.S_ISDIR(seen.st_mode) or stat.S_ISREG(seen.st_mode)):
            raise OSError(f"{path} is a link, or no regular file")
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    if not os.path.samestat(seen, os.fstat(file)):
        os.close(file)
        raise OSError(f"{path} has just been replaced")
    return file


def _checked(file: int) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError("it is no regular file")
    return os.fdopen(file, "rb")
