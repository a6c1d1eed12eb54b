"""ImageNames: the image files that the cells of a table may mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from trainer.data.picture import SUFFIXES
from trainer.data.words import split_of
from trainer.errors import DataError


class ImageNames:
    """The image files below a folder, by their paths and by each end of these, with and without suffix."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self._root = root
        self._by_end: dict[str, list[Path]] = defaultdict(list)
        for file in files:
            inside = PurePosixPath(file.relative_to(root).as_posix())
            for start in range(len(inside.parts)):
                end = PurePosixPath(*inside.parts[start:])
                self._by_end[str(end)].append(file)
                self._by_end[str(end.with_suffix(""))].append(file)

    def find(self, cell: str, split: str | None = None) -> Path | None:
        """Return the file that a cell names: a path, a file name, or a name without suffix; None where there is none.

        split: that of the table, whose folder is preferred.  Raises DataError where several files have the name.
        """
        found = self._candidates(cell)
        if len(found) > 1 and split is not None:
            found = [file for file in found if self._is_of(file, split)] or found
        if len(found) > 1:
            raise DataError(f"{cell} may be {found[0]} or {found[1]}; write its path below {self._root}")
        return found[0] if found else None

    def _candidates(self, cell: str) -> list[Path]:
        path = PurePosixPath(cell.replace("\\", "/"))
        parts = [part for part in path.parts if part not in (".", "/")]
        # A path of another machine ends as one of this machine does.
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            exact = [self._root / end] if start == 0 and self._root / end in self._by_end.get(end, ()) else []
            if found := exact or self._by_end.get(end, []):
                return found
        return []

    def _is_of(self, file: Path, split: str) -> bool:
        return any(split_of(part) == split for part in file.relative_to(self._root).parts)


def has_suffix(cell: str) -> bool:
    """Whether a cell names an image file by its suffix."""
    return PurePosixPath(cell).suffix.lower() in SUFFIXES
