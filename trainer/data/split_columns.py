"""Split columns: the column of a table that says of each row whether it is of train, valid or test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from trainer.data.words import split_of
from trainer.errors import DataError

WORDS = frozenset(
    {"split", "splits", "subset", "partition", "fold", "folds", "kfold"}
)  # one of a name's words
NAMES = frozenset({"set", "usage", "phase"})  # the whole name
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})
FLAGS = YES | NO | {""}
JOINT = " and "  # between columns that say the splits together
# What a row is of that none of the columns is_train, is_valid and is_test marks.
UNMARKED = {
    frozenset({"train"}): "test",
    frozenset({"valid"}): "train",
    frozenset({"test"}): "train",
    frozenset({"train", "valid"}): "test",
    frozenset({"train", "test"}): "valid",
    frozenset({"valid", "test"}): "train",
}
# FER2013: the challenge's public test images are what is commonly used as valid, the private ones as test.
CELLS = {"publictest": "valid", "privatetest": "test"}


class Splits(NamedTuple):
    """The columns that say the splits, and the split of each row."""

    columns: tuple[str, ...]
    rows: Sequence[str]


def split_column(
    columns: Mapping[str, Sequence[str]], known: Sequence[str], at: Callable[[int], str]
) -> Splits | None:
    """Return the splits that columns say, None where no column does.

    columns: texts by name, of those columns that are not known to be something else.  known: the columns of labels, as
    far as their names or the user say them.  at: the place of a row.  Raises DataError where a column whose name says
    split has cells that do not, and where two columns differ.
    """
    found = {name: cells for name, cells in columns.items() if _says(name, cells, known)}
    read = {name: [_split(cell) for cell in cells] for name, cells in found.items()}
    if (flags := _flags(found)) and (known or len(columns) > len(flags)):
        read = {name: splits for name, splits in read.items() if name not in flags.values()}
        read[JOINT.join(flags.values())] = _marked(flags, columns, at)
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
    return None if first is None else Splits(tuple(first.split(JOINT)), whole[first])


def _flags(found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the column of yes and no that marks the rows of a split, such as is_train, by the split."""
    marks = {name: cells for name, cells in found.items() if all(cell.lower() in YES | NO for cell in cells)}
    named = {name: {split_of(word.removeprefix("is")) for word in _words(name)} - {None} for name in marks}
    return {str(next(iter(of))): name for name, of in named.items() if len(of) == 1}


def _marked(
    flags: Mapping[str, str], columns: Mapping[str, Sequence[str]], at: Callable[[int], str]
) -> list[str | None]:
    """Return the split of each row by the columns that mark one split each. Raises DataError where two mark a row."""
    rows: list[str | None] = []
    for row, cells in enumerate(zip(*(columns[name] for name in flags.values()), strict=True)):
        marked = [split for split, cell in zip(flags, cells, strict=True) if cell.lower() in YES]
        if len(marked) > 1:
            raise DataError(
                f"{at(row)} is of {marked[0]} and of {marked[1]} by its columns; mark one split a row"
            )
        rows.append(marked[0] if marked else UNMARKED.get(frozenset(flags)))
    return rows


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


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
    words = _words(name)
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
