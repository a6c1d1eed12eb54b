"""Classified: files and their labels by split, in any form of labels, as the parts of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.data.encoded import File
from trainer.data.gather import Gathered, Listed, gather
from trainer.data.labels import class_names, numbered
from trainer.data.raw import Array
from trainer.data.reading import Reading


def classified(
    path: Path,
    files: Mapping[str, Sequence[File]],
    labels: Mapping[str, Array],
    reading: Reading,
    names: tuple[str, ...] | None = None,
) -> tuple[Gathered, tuple[str, ...]]:
    """Return the parts and the names of the classes.

    labels: whole numbers or texts (N,) for the files of each split; those of train say which classes there are.
    names: of the classes, in the order of their labels, where the files say them.  Raises DataError.
    """
    order, classes = class_names(str(path), labels["train"], reading.classes or names)
    listed = {}
    for split, each in files.items():
        numbers = numbered(str(path), labels[split], order, len(each), of_train=split == "train")
        listed[split] = Listed(each, numbers.tolist())
    return gather(path, listed, reading), classes
