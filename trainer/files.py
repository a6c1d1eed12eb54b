"""Atomic writes of files: temporary name, fsync, rename."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from trainer.system import folders


def write(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it has the old content or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp gives 0600, which other users cannot read
        folders.replace(Path(temporary), path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folders.sync(path.parent)


def write_folder(folder: Path, files: Mapping[str, bytes], keep: Collection[str] = ()) -> None:
    """Replace `folder` by one that holds exactly `files`; a crash leaves the old folder or the new one.

    keep: entries of the old folder that move into the new one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        os.chmod(fresh, 0o755)
        for name, data in files.items():
            write(fresh / name, data)
        old = fresh.with_name(fresh.name + ".old")
        if folder.exists():
            folders.rename(folder, old)
        folders.rename(fresh, folder)
        for name in keep:
            folders.rename(old / name, folder / name)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    folders.sync(folder.parent)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
