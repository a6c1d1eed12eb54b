"""Multi-label data: images with several labels, or none, in place of one class."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trainer.data.label_texts import MISSING
from trainer.data.raw import Array, Labels
from trainer.errors import DataError

SEPARATORS = ("|", ";", ",")
Names = tuple[str, ...]


def marks(place: str, array: Array, images: int, names: Names | None) -> tuple[Labels, Names]:
    """Return labels (N, K) of 0 and 1, and the names of the K labels; their numbers where they have none.

    Raises DataError for an array of other values, of another shape, or with another number of names.
    """
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{place} is {array.dtype} of shape {array.shape}; with multilabel: true, labels are numbers (N, K) with a "
            "column of 0 and 1 for each of two labels or more"
        )
    if len(array) != images:
        raise DataError(
            f"{place} has {len(array)} rows for {images} images; there must be one for each image"
        )
    if not np.isin(array, (0, 1)).all():
        wrong = array[~np.isin(array, (0, 1))][0]
        raise DataError(f"{place} holds {wrong}; with multilabel: true, labels are 0 or 1")
    if names is not None and len(names) != array.shape[1]:
        raise DataError(
            f"{place} has {array.shape[1]} columns and classes {len(names)} names; give one for each"
        )
    return array.astype(np.int64), names or tuple(str(number) for number in range(array.shape[1]))


def parted(cells: Sequence[str], name: str, at: Callable[[int], str]) -> list[Names]:
    """Return the labels in each cell of a column: a list, or texts between |, ; or commas, else blanks.

    An empty cell has none.  at: the place of a row.  Raises DataError for two separators, and for missing labels.
    """
    found = [one for one in SEPARATORS if any(one in cell for cell in cells if not _is_list(cell))]
    if len(found) > 1:
        rows = [next(row for row, cell in enumerate(cells) if one in cell) for one in found[:2]]
        raise DataError(
            f"{at(rows[0])} has {found[0]} in {name} and {at(rows[1])} {found[1]}; part the labels of all rows alike"
        )
    labels = [_labels(cell, found[0] if found else None, at(row)) for row, cell in enumerate(cells)]
    for row, each in enumerate(labels):
        if missing := [one for one in each if one.lower() in MISSING]:
            raise DataError(
                f"{at(row)} has {missing[0]} in {name}; leave the cell of an image without labels empty, or remove "
                "rows whose labels are not known"
            )
    return labels


def _is_list(cell: str) -> bool:
    return cell.startswith("[") and cell.endswith("]")


def _labels(cell: str, separator: str | None, place: str) -> Names:
    parts = _listed(cell, place) if _is_list(cell) else cell.split(separator)
    return tuple(dict.fromkeys(one.strip() for one in parts if one.strip()))


def _listed(cell: str, place: str) -> list[str]:
    """Return the items of a list as JSON or Python writes it; no code is run."""
    try:
        items = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        items = None
    if not isinstance(items, list) or not all(isinstance(one, str | int) for one in items):
        raise DataError(f'{place} has {cell[:40]}, which is no list of labels; write it as ["a", "b"]')
    return [str(one) for one in items]


def of_lists(
    place: str, lists: Mapping[str, Sequence[Names]], names: Names | None
) -> tuple[Mapping[str, Labels], Names]:
    """Return lists of labels, by part, as (N, K) of 0 and 1, and the names of the K labels: those of train, or `names`.

    Raises DataError for fewer than two labels, and for a label that is none of them.
    """
    known = names or tuple(sorted({one for each in lists["train"] for one in each}, key=_ordered))
    if len(known) < 2:
        raise DataError(f"{place} has {len(known)} label ({', '.join(known)}); at least 2 are needed")
    return {
        part: _marked(place, part, each, known, said=names is not None) for part, each in lists.items()
    }, known


def _ordered(name: str) -> tuple[int, str]:
    """Numbers by their value, then texts."""
    return (int(name), "") if name.isdecimal() else (2**63, name)


def _marked(place: str, part: str, lists: Sequence[Names], known: Names, *, said: bool) -> Labels:
    spots = {name: spot for spot, name in enumerate(known)}
    found = np.zeros((len(lists), len(known)), dtype=np.int64)
    for row, each in enumerate(lists):
        for name in each:
            if name not in spots:
                why = f"it is none of classes: {', '.join(known)}" if said else "which no train image has"
                raise DataError(f"{place}: an image of {part} has the label {name}, {why}")
            found[row, spots[name]] = 1
    return found
