"""Split columns: the column of a table that says of each row whether it is of train, valid or test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from trainer.data.words import split_of
from trainer.errors import DataError

WORDS = frozenset(
    {"split", "splits", "subset", "partition", "fold", "folds", "kfold"}
)  # one of a name's words
NAMES = frozenset({"set", "usage", "phase"})  # the whole name
FLAGS = frozenset({"", "0", "1", "0.0", "1.0", "true", "false", "yes", "no"})
# FER2013: the challenge's public test images are what is commonly used as valid, the private ones as test.
CELLS = {"publictest": "valid", "privatetest": "test"}


def split_column(
    columns: Mapping[str, Sequence[str]], known: Sequence[str], at: Callable[[int], str]
) -> tuple[str, list[str]] | None:
    """Return the column that says the splits and the split of each row, None where no column does.

    columns: texts by name, of those columns that are not known to be something else.  known: the columns of labels, as
    far as their names or the user say them.  at: the place of a row.  Raises DataError where a column whose name says
    split has cells that do not, and where two columns differ.
    """
    found = {name: cells for name, cells in columns.items() if _says(name, cells, known)}
    read = {name: [_split(cell) for cell in cells] for name, cells in found.items()}
    for name, splits in read.items():
        if None in splits and (any(splits) or all(None in other for other in read.values())):
            _refuse(
                name, found[name], splits.index(None), not known and len(columns) == 1 and not any(splits), at
            )
    whole = {
        name: [split for split in splits if split] for name, splits in read.items() if None not in splits
    }
    first = next(iter(whole), None)
    for name, of_rows in whole.items():
        if of_rows != whole[first or name]:
            row = next(row for row, split in enumerate(of_rows) if split != whole[first or name][row])
            raise DataError(
                f"{at(row)} is of {of_rows[row]} by {name} and not by {first}; take one column out"
            )
    return None if first is None else (first, whole[first])


def _refuse(name: str, cells: Sequence[str], row: int, alone: bool, at: Callable[[int], str]) -> None:
    if alone:  # the one column beside the images is their label
        return
    raise DataError(
        f"{at(row)} has {cells[row] or 'an empty cell'} in the column {name}, which is none of train, valid and test; "
        f"write one of them, or take the column out or rename it if it says no splits (say label: {name} if it is the "
        "label)"
    )


def _split(cell: str) -> str | None:
    return CELLS.get(cell.lower()) or split_of(cell)


def _says(name: str, cells: Sequence[str], known: Sequence[str]) -> bool:
    """Whether a column is one of splits: by its name, or by cells of which each is the name of a split."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    joined = "".join(words)
    if joined in NAMES or WORDS & set(words) or (words and words[0].startswith("is") and _is_split(words)):
        return True
    if split_of(name) and known:  # train beside a column of labels; without one it may be a class
        return all(cell.lower() in FLAGS for cell in cells)
    splits = {_split(cell) for cell in cells}
    return name not in known and None not in splits and len(splits) > 1 and "train" in splits


def _is_split(words: Sequence[str]) -> bool:
    """Whether words are such as is train, istrain or is training image."""
    return any(split_of(word.removeprefix("is")) for word in words)
