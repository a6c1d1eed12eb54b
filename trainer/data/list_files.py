"""List files: text files of paths, without a header, that say the split and often the class of each image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.data.image_names import ImageNames
from trainer.data.tree import Folder
from trainer.data.words import SPLITS, split_within
from trainer.errors import DataError

SUFFIXES = frozenset({".txt", ".lst", ".list"})
NUMBERED = re.compile(r"(.+?)\s+(\d+)")  # a path and the number of a class

ELSE = " (or say layout: folders, which leaves the lists alone)"


class Row(NamedTuple):
    """An image of a list."""

    file: Path
    label: str | None  # as written; None where the list has paths alone


def list_files(tree: Folder) -> Mapping[str, Path]:
    """Return the list of each split; none where two lists are of one split."""
    texts = [file for folder in tree.walk() for file in folder.others if file.suffix.lower() in SUFFIXES]
    of_splits = [file for file in texts if split_within(file.stem)]
    if not of_splits:
        return {}
    names = ImageNames(tree.path, tree.files())
    found: dict[str, Path] = {}
    for file in (file for file in of_splits if _is_list(file, names)):
        if (split := split_within(file.stem) or "") in found:
            return {}
        found[split] = file
    return {split: found[split] for split in SPLITS if split in found}


def read_list(file: Path, split: str, names: ImageNames) -> list[Row]:
    """Return the images of a list. Raises DataError, with the line, for a file that is not there."""
    rows = []
    for number, line in _lines(file):
        cell, label = _apart(line, names)
        try:
            found = names.find(cell, file.parent, split)
        except DataError as error:  # several files have the name
            raise DataError(f"{file}:{number}: {error}{ELSE}") from None
        if found is None:
            raise DataError(
                f"{file}:{number} names {cell}, which is not there; restore it or take its line out{ELSE}"
            )
        rows.append(Row(found, label))
    return rows


def _is_list(file: Path, names: ImageNames) -> bool:
    try:
        cells = [_apart(line, names)[0] for _, line in _lines(file)[:100]]
    except DataError:
        return False
    return bool(cells) and 2 * sum(map(names.has_name, cells)) > len(cells)


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8; save it so") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _apart(line: str, names: ImageNames) -> tuple[str, str | None]:
    """Return the path and the label of a line; a path may hold spaces."""
    if "\t" in line:
        cells: Sequence[str] = line.split("\t")
    elif names.has_name(line):
        return line, None
    elif match := NUMBERED.fullmatch(line):
        cells = match.groups()
    else:
        cells = line.split(maxsplit=1)
    return cells[0], cells[1].strip() if len(cells) > 1 else None
