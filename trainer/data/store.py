"""Store: arrays in a folder that every process of a machine maps into its memory, so that all share one copy."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer import files
from trainer.data.raw import Array
from trainer.system import file_lock

FACTS_FILE = "facts.json"
BLOCK = 1 << 22  # bytes that are read at a time
KEPT_SECONDS = 30 * 24 * 3600.0  # that a folder which nobody opens is kept


class Column(NamedTuple):
    """An array that is written block by block along its first axis."""

    blocks: Iterable[Array]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Entry(NamedTuple):
    """What a folder holds."""

    folder: Path
    arrays: Mapping[str, Array]  # mapped: a page is read when it is touched, and copied when it is written
    facts: Mapping[str, Any]
    digest: str  # of the arrays


def opened(folder: Path, *, is_checked: bool = False) -> Entry | None:
    """Open what `write` wrote; None where there is nothing, or where it is damaged.

    is_checked: the arrays are known to be whole, and are not read for their digest.
    """
    try:
        written = files.unsealed((folder / FACTS_FILE).read_bytes())
        if written is None:
            return None
        kinds = {name: (tuple(shape), np.dtype(kind)) for name, shape, kind in written["arrays"]}
        if not is_checked and written["digest"] != _digest(folder, written["head"], kinds):
            return None
        arrays = {name: _mapped(folder / f"{name}.bin", *kind) for name, kind in kinds.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):
        os.utime(folder / FACTS_FILE)
    return Entry(folder, arrays, written["facts"], written["digest"])


def write(
    folder: Path, head: str, columns: Mapping[str, Column], facts: Callable[[], Mapping[str, Any]]
) -> None:
    """Write arrays, and then what is known of them, as a whole: a crash leaves what was there before.

    head: what the digest begins with.  facts: plain values, asked for when the arrays are written.  Raises OSError.
    """
    with files.replaced(folder) as fresh:
        sha = hashlib.sha256(head.encode())
        for name, column in columns.items():
            _write_blocks(fresh / f"{name}.bin", column, sha)
        kinds = [(name, column.shape, column.dtype.str) for name, column in columns.items()]
        body = {"head": head, "arrays": kinds, "digest": sha.hexdigest(), "facts": dict(facts())}
        files.write(fresh / FACTS_FILE, files.sealed(body))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing the folder, and remove what writers that were killed left of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        file_lock.wait_and_lock(lock.fileno())
        try:
            for left in folder.parent.glob(f".{folder.name}.*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            file_lock.unlock(lock.fileno())


def forget_old(parent: Path) -> None:
    """Remove the folders that nobody has opened for a month."""
    limit = time.time() - KEPT_SECONDS
    for facts in parent.glob(f"*/{FACTS_FILE}"):
        with suppress(OSError):
            if facts.stat().st_mtime < limit:
                shutil.rmtree(facts.parent)


def _write_blocks(file: Path, column: Column, sha: Any) -> None:
    sha.update(repr(column.shape).encode())
    with file.open("wb") as stream:
        for block in column.blocks:
            content = np.ascontiguousarray(block, column.dtype).data.cast("B")
            stream.write(content)
            sha.update(content)
        stream.flush()
        os.fsync(stream.fileno())


def _digest(folder: Path, head: str, kinds: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    """Return the SHA-256 of shapes and bytes, which are read and not mapped: mapped pages count as memory in use."""
    sha = hashlib.sha256(head.encode())
    for name, (shape, _) in kinds.items():
        sha.update(repr(shape).encode())
        with (folder / f"{name}.bin").open("rb") as stream:
            while block := stream.read(BLOCK):
                sha.update(block)
    return sha.hexdigest()


def _mapped(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if file.stat().st_size != int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(f"{file} is cut short")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "c", shape=shape)
