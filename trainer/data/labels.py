"""Labels of any usual form as numbers 0..K-1 with the names of their classes."""

from collections.abc import Sequence

import numpy as np

from trainer.data.label_texts import check_texts
from trainer.data.raw import Array, Labels
from trainer.errors import DataError

MAX_LABELS = 100_000  # classes; more are not labels


def plain_labels(place: str, array: Array, classes: Sequence[str] | None = None) -> Array:
    """Return labels (N,) of whole numbers or strings.

    array: (N,) or (N, 1) of whole numbers, of floats that are whole, of booleans or strings; or one-hot (N, K).
    classes: texts that are said to be classes.  Raises DataError for any other, and for texts that are no one class.
    """
    array = _one_a_row(place, array)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "U":
        check_texts(array.tolist(), "label", lambda row: f"{place}, row {row},", classes)
    if array.dtype.kind == "f":
        return _whole(place, array)
    if array.dtype.kind not in "iuU":
        raise DataError(f"{place} is {array.dtype}; labels must be whole numbers or strings")
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{place} holds the label {array.max()}, which is no class number")
    return array if array.dtype.kind == "U" else array.astype(np.int64)


def _one_a_row(place: str, array: Array) -> Array:
    if array.ndim > 1 and all(side == 1 for side in array.shape[1:]):
        return array.reshape(len(array))
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return _of_one_hot(place, array)
    if array.ndim != 1:
        raise DataError(f"{place} has shape {array.shape}; labels must be (N,), (N, 1) or one-hot (N, K)")
    return array


def _of_one_hot(place: str, array: Array) -> Array:
    if not np.isin(array, (0, 1)).all():
        raise DataError(
            f"{place} has shape {array.shape} and is not one-hot; labels must be one class an image"
        )
    marks = array.sum(axis=1)
    if (marks != 1).any():
        row = int(np.flatnonzero(marks != 1)[0])
        raise DataError(
            f"{place} marks {int(marks[row])} classes of image {row}; say multilabel: true if an image may have "
            "several labels or none, or give one class for each"
        )
    return np.asarray(array.argmax(axis=1), dtype=np.int64)


def _whole(place: str, array: Array) -> Array:
    if (
        not np.isfinite(array).all()
        or (array != np.rint(array)).any()
        or np.abs(array).max(initial=0) > 2**53
    ):
        wrong = array[~np.isfinite(array) | (array != np.rint(array))]
        raise DataError(
            f"{place} holds {wrong[0] if wrong.size else array.max()}; labels must be whole numbers or strings"
        )
    return array.astype(np.int64)


def class_names(place: str, train: Array, names: tuple[str, ...] | None) -> tuple[Array, tuple[str, ...]]:
    """Return the label of each class, in order, and its name.

    train: labels (N,) of `plain_labels`.  names: those of the file or the user, in the order of the labels.
    Raises DataError, for names that do not fit the labels.
    """
    if train.size == 0:
        raise DataError(f"{place} is empty; at least one image a class is needed")
    found = np.unique(train)
    if len(found) < 2:
        raise DataError(f"{place} holds one class; at least 2 are needed")
    if len(found) > MAX_LABELS:
        raise DataError(f"{place} holds {len(found):,} different labels; they cannot be classes")
    if found.dtype.kind != "U" and found[0] < 0 and len(found) > 2:
        raise DataError(f"{place} holds the label {found[0]}; take the images that have no label out")
    if names is None:
        return found, tuple(str(one) for one in found)
    return _named(place, found, names), names


def _named(place: str, found: Array, names: tuple[str, ...]) -> Array:
    if found.dtype.kind == "U":
        if strange := sorted(set(found.tolist()) - set(names)):
            raise DataError(
                f"{place} holds the label {strange[0]}; it is none of classes: {', '.join(names)}"
            )
        return np.asarray(names)
    first = 1 if found[0] == 1 and found[-1] == len(names) else 0  # labels from 1 on
    if found[0] < 0 or found[-1] >= len(names) + first:
        wrong = found[0] if found[0] < 0 else found[-1]
        raise DataError(
            f"{place} holds the label {wrong}; labels must be 0..{len(names) - 1}, as classes has names"
        )
    return np.arange(first, len(names) + first)


def numbered(place: str, labels: Array, order: Array, images: int, *, of_train: bool) -> Labels:
    """Return labels as places in `order`. Raises DataError, where one is not there or none of a class occurs."""
    if len(labels) != images:
        raise DataError(
            f"{place} has {len(labels)} labels for {images} images; there must be one for each image"
        )
    if len(labels) and (labels.dtype.kind == "U") != (order.dtype.kind == "U"):
        raise DataError(
            f"{place} has labels such as {labels[0]} and, of train, {order[0]}; write both as texts or as numbers"
        )
    by_value = np.argsort(order, kind="stable")
    spots = np.searchsorted(order, labels, sorter=by_value).clip(max=len(order) - 1)
    numbers = by_value[spots]
    wrong = np.flatnonzero(order[numbers] != labels)
    if len(wrong):
        raise DataError(f"{place} holds the label {labels[wrong[0]]}, which no train image has")
    missing = np.flatnonzero(np.bincount(numbers, minlength=len(order)) == 0)
    if of_train and len(missing):
        raise DataError(f"{place} has no image of class {order[missing[0]]}; every class must occur")
    return np.asarray(numbers, dtype=np.int64)
