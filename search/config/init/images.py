"""What a study file has to know of the images."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from search.config.dataset import SHAPES, Dataset
from trainer.data.reading import Reading

if TYPE_CHECKING:
    from trainer import Data

PLAIN = Reading()
LONGEST = 64  # letters of a study's name


class ClassSize(NamedTuple):
    """A class and the number of its images."""

    name: str
    images: int


class Images(NamedTuple):
    """A data set, as far as its study needs to know."""

    name: str  # of the study
    place: str  # a known name, or the path to own images
    reading: Reading  # how own images are read
    input: tuple[int, int, int]  # (channels, height, width)
    classes: int
    train: int  # number of images
    valid: int
    test: int
    fewest: ClassSize  # of all images
    most: ClassSize
    grey: int  # images of three channels that are all alike
    multilabel: bool = False  # whether an image may have several labels

    @property
    def total(self) -> int:
        return self.train + self.valid + self.test

    @property
    def is_named(self) -> bool:
        return self.place in SHAPES


def look(place: str, reading: Reading = PLAIN, root: str | None = None) -> Images:
    """Read a data set and describe it. Raises trainer.DataError, one sentence."""
    data = Dataset(place, root, _drafted(place, reading)).load()
    if data.seen.reducible:  # else it changes nothing, and is not written
        reading = data.reading
    counts = _counts(data)
    ordered = sorted(counts, key=lambda one: one.images)
    return Images(
        name=study_name(place),
        place=place,
        reading=reading,
        input=data.input,
        classes=len(data.classes),
        train=len(data.train),
        valid=len(data.valid),
        test=len(data.test),
        fewest=ordered[0],
        most=ordered[-1],
        grey=_grey(data),
        multilabel=data.is_multilabel,
    )


def _drafted(place: str, reading: Reading) -> Reading:
    """Return the reading of a new study: with `draft: true`, unless the given reading has a `draft` of its own."""
    from trainer.data.layouts.registry import may_say

    if place in SHAPES or reading.size is None or reading.draft is not None:
        return reading
    return replace(reading, draft=True) if "draft" in may_say(place, reading) else reading


def study_name(place: str) -> str:
    """Return the name of a study of the images at a place: the last part of the path, in the letters of a name."""
    last = Path(os.path.abspath(os.path.expanduser(place))).name if place not in SHAPES else place
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last.removesuffix(".npz")).strip("-._")
    return plain[:LONGEST] or "images"


def path_from(place: str, folder: Path) -> str:
    """Return the path to own images as a study file in `folder` writes it: relative if they lie below it.

    A folder with the name of a known data set is written as `./digits`.
    """
    path, base = Path(os.path.abspath(Path(place).expanduser())), folder.absolute()
    if path == base or not path.is_relative_to(base):
        return str(path)
    written = path.relative_to(base).as_posix()
    return f"./{written}" if written in SHAPES else written


def _counts(data: Data) -> list[ClassSize]:
    import torch

    from trainer.data.signs import class_counts

    each = [class_counts(data, split) for split in (data.train, data.valid, data.test)]
    counts = torch.stack(each).sum(0).tolist()
    return [ClassSize(*one) for one in zip(data.classes, counts, strict=True)]


def _grey(data: Data) -> int:
    """Count the images of three channels that are all alike."""
    if data.input[0] != 3:
        return 0
    return sum(
        int((split.x == split.x[:, :1]).flatten(1).all(dim=1).sum())
        for split in (data.train, data.valid, data.test)
    )
