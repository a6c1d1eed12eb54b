"""ImageNames: the image files that the cells of a table may mean."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from trainer.data.picture import SUFFIXES
from trainer.data.words import split_of
from trainer.errors import DataError

ELSEWHERE = re.compile(
    r"/|~|[A-Za-z]:/|[A-Za-z][A-Za-z0-9+.-]+://"
)  # begin of an absolute path or an address


class ImageNames:
    """The image files below a folder, by their paths and by each end of these, with and without suffix."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self.root = root
        self._by_end: dict[str, list[Path]] = defaultdict(list)
        self._splits: set[str] = set()  # that have a folder of their own
        for file in files:
            inside = PurePosixPath(file.relative_to(root).as_posix())
            self._splits |= _splits(inside)
            for start in range(len(inside.parts)):
                end = PurePosixPath(*inside.parts[start:])
                self._by_end[str(end)].append(file)
                self._by_end[str(end.with_suffix(""))].append(file)

    def has_name(self, cell: str) -> bool:
        """Whether a file anywhere below the folder has the name with which a cell ends."""
        return bool(cell) and PurePosixPath(_slashes(cell)).name in self._by_end

    def find(self, cell: str, home: Path, split: str | None = None, cut: int = 0) -> Path | None:
        """Return the file that a cell names: a path, a file name, or a name without suffix; None where there is none.

        home: folder of the table.  split: that of the row where it is said; a file in the folder of another split is
        not taken where this one has a folder.  cut: leading parts of a relative path that may be those of another
        machine, of `common_parts`.  Raises DataError where several files have the name.
        """
        found = self._candidates(_slashes(cell), home, cut)
        if split is not None:
            found = self._of_split(found, split)
        if len(found) > 1:
            raise DataError(f"{cell} may be {found[0]} or {found[1]}; write its path below {self.root}")
        return found[0] if found else None

    def _candidates(self, cell: str, home: Path, cut: int) -> list[Path]:
        bases = list(dict.fromkeys((home, self.root)))
        parts = tuple(part for part in PurePosixPath(cell).parts if part not in (".", "/"))
        if not parts:
            return []
        if ELSEWHERE.match(cell):
            here = [base for base in bases if PurePosixPath(cell).is_relative_to(base.absolute().as_posix())]
            if here:
                return self._at(here[0], PurePosixPath(cell).relative_to(here[0].absolute().as_posix()).parts)
            return self._cut(parts, bases, len(parts) - 1)
        if found := next(filter(None, (self._at(base, parts) for base in bases)), []):
            return found
        if len(parts) > 1 and any((base / parts[0]).is_dir() for base in bases):
            return []
        return self._by_end.get("/".join(parts), []) or self._cut(parts, bases, cut)

    def _cut(self, parts: Sequence[str], bases: Sequence[Path], most: int) -> list[Path]:
        """Return the file of a path of another machine: up to `most` leading parts are not of this one."""
        for start in range(most + 1):
            tail = parts[start:]
            for base in bases:
                # A path that begins in a folder of this machine is meant from there on, be its file there or not.
                if len(tail) == 1 or (base / tail[0]).is_dir():
                    found = self._at(base, tail)
                    if found or len(tail) > 1:
                        return found
        return []

    def _at(self, base: Path, parts: Sequence[str]) -> list[Path]:
        """Return the files of exactly that path below a folder, with any suffix where the path has none."""
        inside = os.path.relpath(os.path.normpath(base.joinpath(*parts)), self.root)
        path = PurePosixPath(_slashes(inside))
        found = self._by_end.get(str(path), [])
        here = [file for file in found if file.parent == self.root / path.parent]
        return [file for file in here if file.name == path.name] or here

    def _of_split(self, files: Sequence[Path], split: str) -> list[Path]:
        of = {file: _splits(PurePosixPath(file.relative_to(self.root).as_posix())) for file in files}
        if found := [file for file in files if split in of[file]]:
            return found
        return [file for file in files if not of[file] or split not in self._splits]


def common_parts(cells: Sequence[str]) -> int:
    """Return how many folders all of the relative paths begin with."""
    folders = [PurePosixPath(_slashes(cell)).parts[:-1] for cell in cells if cell]
    same = [len(set(level)) == 1 for level in zip(*folders, strict=False)]
    return same.index(False) if False in same else len(same)


def has_suffix(cell: str) -> bool:
    """Whether a cell names an image file by its suffix."""
    return PurePosixPath(cell).suffix.lower() in SUFFIXES


def _slashes(cell: str) -> str:
    return cell.replace("\\", "/")


def _splits(inside: PurePosixPath) -> set[str]:
    return {split for part in inside.parts[:-1] if (split := split_of(part))}
