"""Columns: which column of a table names the files, which holds the labels, and which the splits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.data.image_names import ImageNames, common_parts, has_suffix
from trainer.data.label_texts import check_texts, whole_numbers
from trainer.data.multilabel import parted
from trainer.data.raw import Array
from trainer.data.reading import Reading
from trainer.data.rows import Table
from trainer.data.split_columns import Splits, split_column
from trainer.errors import DataError

LOOKED_AT = 200  # rows by which the column of file names is found
LABELS = ("label", "labels", "class", "class_name", "classname", "category", "target", "y")
LABEL_NUMBERS = ("classid", "class_id", "labelid", "label_id")  # where no column has a name of `LABELS`
MARKS = {"0": False, "1": True, "0.0": False, "1.0": True}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class Labelled(NamedTuple):
    """What a table says of each row."""

    images: str  # name of the column
    labels: (
        Array | Sequence[tuple[str, ...]]
    )  # (N,) whole numbers or strings; with multilabel, all labels of each row
    label: str  # name of the column, or of the columns of a one-hot table
    splits: Sequence[str] | None  # train, valid or test, of each row
    classes: tuple[str, ...] | None  # of a table with a column for each class


def image_column(table: Table, names: ImageNames, reading: Reading) -> str | None:
    """Return the column that names image files, None where there is none. Raises DataError where two differ."""
    if reading.image is not None:
        return reading.image if reading.image in table.columns else None
    found = [name for name in table.columns if _names_files(table.column(name)[:LOOKED_AT], names)]
    # A number such as a width may be a file's name without suffix; a name with its suffix is meant.
    found = [name for name in found if all(map(has_suffix, table.column(name)[:LOOKED_AT]))] or found
    for other in found[1:]:
        if _files_of(table, found[0], names) != _files_of(table, other, names):
            said = f"say image: {found[0]}, or {other}"
            raise DataError(f"{table.file} names files in {found[0]} and in {other}; {said}")
    if found and names.has_name(found[0]):
        raise DataError(f"{table.file} has no header; write a first line such as file,label")
    return found[0] if found else None


def _files_of(table: Table, column: str, names: ImageNames) -> list[object]:
    cells = table.column(column)[:LOOKED_AT]
    cut = common_parts(table.column(column))
    return [_found(cell, names, table, cut) for cell in cells]


def _found(cell: str, names: ImageNames, table: Table, cut: int) -> object:
    try:
        return names.find(cell, table.file.parent, cut=cut)
    except DataError:  # several files have the name
        return cell


def _names_files(cells: Sequence[str], names: ImageNames) -> bool:
    return 2 * sum(map(names.has_name, cells)) > len(cells)


def labelled(table: Table, images: str, reading: Reading) -> Labelled | None:
    """Return labels and splits of a table, None where it has no label column. Raises DataError where two may be it."""
    known = [name for name in table.columns if name.lower() in LABELS and name != images]
    known = known or [name for name in table.columns if name.lower() in LABEL_NUMBERS]
    about = _splits(
        table, (images, reading.label, reading.group), [reading.label] if reading.label else known
    )
    splits = about.rows if about else None
    taken = (images, reading.group, *(about.columns if about else ()))
    rest = [name for name in table.columns if name not in taken]
    known = [name for name in rest if name in known]
    label = reading.label or (known[0] if len(known) == 1 else rest[0] if len(rest) == 1 else None)
    if reading.multilabel:
        return _several(table, images, label, rest, splits, reading)
    if label is not None:
        if label not in table.columns:
            return None
        return Labelled(images, text_labels(table, label, reading), label, splits, None)
    marks = _one_hot(table, rest)
    if marks is not None:
        used = marks.sum(axis=0).tolist()
        columns = [name for name, images_of_it in zip(rest, used, strict=True) if images_of_it]
        chosen = np.asarray(rest)[marks.argmax(axis=1)]
        return Labelled(images, chosen, f"{rest[0]} .. {rest[-1]}", splits, tuple(columns))
    if not rest:
        return None
    marked = [name for name in rest if _is_marks(table.column(name))]
    several = f"multilabel: true for all of {', '.join(marked)}, or " if len(marked) > 1 else ""
    raise DataError(
        f"{table.file} does not say which column is the label; say {several}label: {_few(table, rest)}"
    )


def _several(
    table: Table,
    images: str,
    label: str | None,
    rest: Sequence[str],
    splits: Sequence[str] | None,
    reading: Reading,
) -> Labelled | None:
    """Return the labels in the cells of a column, or of columns of 0 and 1, one a label."""
    if label is not None:
        if label not in table.columns:
            return None
        return Labelled(images, parted(table.column(label), label, table.at), label, splits, None)
    names = reading.classes or tuple(name for name in rest if _is_mostly_marks(table.column(name)))
    if len(names) < 2:
        raise DataError(
            f"{table.file} has {len(names)} columns of 0 and 1; with multilabel: true, say label: COLUMN for a column "
            "with all labels of an image, or have a column of 0 and 1 for each label"
        )
    cells = {name: table.column(name) for name in names}
    if wrong := next((name for name in names if not _is_marks(cells[name])), None):
        odd = next(row for row, cell in enumerate(cells[wrong]) if cell not in MARKS)
        mend = "" if reading.classes else f"; where {wrong} is no label, name those that are: classes: [a, b]"
        raise DataError(
            f"{table.at(odd)} has {cells[wrong][odd] or 'nothing'} in {wrong}; it must be 0 or 1{mend}"
        )
    marked = [tuple(name for name in names if MARKS[cells[name][row]]) for row in range(len(table.rows))]
    return Labelled(images, marked, f"{names[0]} .. {names[-1]}", splits, tuple(names))


def _is_marks(cells: Sequence[str]) -> bool:
    return all(cell in MARKS for cell in cells)


def _is_mostly_marks(cells: Sequence[str]) -> bool:
    """Whether a column is one of 0 and 1, perhaps with gaps or other signs, which must not be passed over."""
    return 2 * sum(cell in MARKS for cell in cells) > len(cells)


def _few(table: Table, names: Sequence[str]) -> str:
    """Return the columns with the fewest different texts, as what may be said."""
    return " or label: ".join(sorted(names, key=lambda name: len(set(table.column(name))))[:6])


def _splits(table: Table, taken: Sequence[str | None], known: Sequence[str]) -> Splits | None:
    others = {name: table.column(name) for name in table.columns if name not in taken}
    return split_column(others, known, table.at)


def _one_hot(table: Table, names: Sequence[str]) -> Array | None:
    """Return the marks (N, K) of columns of which each row marks one, else None."""
    cells = [table.column(name) for name in names]
    if len(cells) < 2 or not all(map(_is_marks, cells)):
        return None
    marks: Array = np.asarray(cells, dtype=np.float64).T == 1
    return marks if (marks.sum(axis=1) == 1).all() else None


def text_labels(table: Table, name: str, reading: Reading) -> Array:
    """Return the labels of a column, as whole numbers where all are. Raises DataError for what is no one class."""
    cells = table.column(name)
    empty = [row for row, cell in enumerate(cells) if not cell]
    if empty:
        raise DataError(
            f"{table.at(empty[0])} has no {name} ({len(empty)} rows in all); label or remove these rows"
        )
    check_texts(cells, name, table.at, reading.classes)
    numbers = whole_numbers(cells, name, table.at)
    if numbers is not None:
        return numbers
    if all(NUMBER.fullmatch(cell) for cell in cells) and not all(
        cell.lstrip("+-").isdigit() for cell in cells
    ):
        raise DataError(
            f"{table.file} has numbers such as {cells[0]} in {name}; labels must be classes, not measures"
        )
    return np.asarray(cells)
