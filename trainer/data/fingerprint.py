"""Fingerprint: a name of the source files of images and of what was said of them, without reading the files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainer.data.rows import SUFFIXES as TABLES
from trainer.data.tree import holds_studies

READERS = ("genome-nas", "pillow", "tifffile", "numpy")  # other versions may read other pixels


def fingerprint(path: Path, said: Any) -> str:
    """Return a name that changes with each file below a path, by its name, size and times, and with what is said.

    The images of a table lie below its folder.  said: plain values.  Raises OSError.
    """
    root = path.parent if path.suffix.lower() in TABLES and path.is_file() else path
    sha = hashlib.sha256(json.dumps([str(path.absolute()), said, _versions()], sort_keys=True).encode())
    for line in sorted(_lines(root)):
        sha.update(line.encode("utf-8", "surrogateescape"))
    return sha.hexdigest()[:32]


def _lines(root: Path) -> Iterator[str]:
    if not root.is_dir():
        yield _line(root.name, root.stat())
        return
    yield from _below(str(root), "", ())


def _below(folder: str, inside: str, above: tuple[str, ...]) -> Iterator[str]:
    here = os.path.realpath(folder)
    if here in above:  # a link to a folder above it
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{inside}/{entry.name}"
            if holds_studies(entry.path):
                continue
            if entry.is_dir():
                yield f"{name}/\n"
                yield from _below(entry.path, name, (*above, here))
            elif entry.is_file():  # not a link to nothing
                yield _line(name, entry.stat())


def _line(name: str, found: os.stat_result) -> str:
    return f"{name} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}\n"


def _versions() -> list[str]:
    return [f"{name} {_version(name)}" for name in READERS]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
