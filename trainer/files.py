"""Atomic writes of files (temporary name, fsync, rename), and checksums of what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.system import folders

OWN_SUM = "sha256"  # key of sealed JSON: the sum of the rest


def write(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it has the old content or the new content, never a part.

    An OSError names `path`, not the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _told_of(path):
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
    with replaced(folder, keep) as fresh:
        for name, data in files.items():
            write(fresh / name, data)


@contextmanager
def replaced(folder: Path, keep: Collection[str] = ()) -> Iterator[Path]:
    """Yield a new folder, which takes the place of `folder` when the block ends; after an error the old one stays.

    keep: entries of the old folder that move into the new one, such as `notes.txt` or `part/notes.txt`.
    An OSError names `folder`, not the temporary one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _told_of(folder):
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            os.chmod(fresh, 0o755)
            yield fresh
            _swap(fresh, folder, keep)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        folders.sync(folder.parent)


def _swap(fresh: Path, folder: Path, keep: Collection[str]) -> None:
    old = fresh.with_name(fresh.name + ".old")
    if folder.exists():
        folders.rename(folder, old)
    folders.rename(fresh, folder)
    for name in keep:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        folders.rename(old / name, folder / name)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Raise an OSError of the block as one of `path` where it names its temporary file or folder, or nothing."""
    try:
        yield
    except OSError as error:
        parts = Path(str(error.filename)).parts if error.filename else [f".{path.name}."]
        if error.errno is None or not any(part.startswith(f".{path.name}.") for part in parts):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sealed(plain: Mapping[str, Any]) -> bytes:
    """Return plain values as JSON that has the SHA-256 of itself. Raises ValueError for an infinite number or NaN."""
    return _dumped({**plain, OWN_SUM: sha256(_dumped(plain))})


def unsealed(content: bytes) -> dict[str, Any] | None:
    """Return the values of `sealed`, None for anything else."""
    try:
        found = json.loads(content)
        known = found.pop(OWN_SUM, None) if isinstance(found, dict) else None
        return found if known is not None and known == sha256(_dumped(found)) else None
    except (ValueError, RecursionError):
        return None


def _dumped(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
