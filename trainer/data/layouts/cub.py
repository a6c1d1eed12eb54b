"""cub: images with text files by number, as Caltech-UCSD Birds and NABirds have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainer.data.classified import classified
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.tree import Folder, scan
from trainer.errors import DataError

IMAGES, LABELS, SPLITS, CLASSES = (
    "images.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "classes.txt",
)


@layout(
    "cub",
    about=f"a folder images with {IMAGES}, {LABELS} and {SPLITS} beside it, of a number and a value on each line "
    "(Caltech-UCSD Birds)",
    splits=f"{SPLITS}: 1 is train, 0 is test",
    fits=lambda path, _: all((path / name).is_file() for name in (IMAGES, LABELS, SPLITS)),
    answers=(*OF_PICTURES, "skip"),
    over=("folders", "lists"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read the images that images.txt numbers. Raises DataError for files and values that are not there."""
    tree = scan(path, reading.skip)
    files, labels = _parts(path, tree)
    gathered, classes = classified(path, files, labels, reading)
    taken = {file for each in files.values() for file in each}
    beside = [(f"not in {IMAGES}", str(file.relative_to(path))) for file in tree.files() if file not in taken]
    skipped = [
        (why, name) for why, name in tree.all_skipped() if name not in (IMAGES, LABELS, SPLITS, CLASSES)
    ]
    origins = (SPLITS, "", SPLITS if "test" in files else "")
    seen = Seen("images by number", origins, gathered.pixels, counted([*skipped, *beside]))
    return gathered.raw(path, path.resolve().name, classes, seen)


def _parts(path: Path, tree: Folder) -> tuple[dict[str, list[Path]], dict[str, Array]]:
    """Return the files and the labels of each split. Raises DataError for an image of which something is missing."""
    inside, labels, of_train = (_values(path / name) for name in (IMAGES, LABELS, SPLITS))
    names = _values(path / CLASSES) if (path / CLASSES).is_file() else {}
    known = set(tree.files())
    parts: dict[str, list[tuple[Path, str]]] = {}
    for number, place in inside.items():
        if path / "images" / place not in known:
            raise DataError(
                f"{path / IMAGES} names {place}, which is not there; restore it or take its line out"
            )
        if number not in labels or of_train.get(number) not in ("0", "1"):
            lacking = LABELS if number not in labels else SPLITS
            raise DataError(f"{path / lacking} says nothing of image {number} ({place}); add its line")
        split = "train" if of_train[number] == "1" else "test"
        parts.setdefault(split, []).append(
            (path / "images" / place, names.get(labels[number], labels[number]))
        )
    if "train" not in parts:
        raise DataError(f"{path / SPLITS} has no train image, which is a line with 1 behind the number")
    return (
        {split: [file for file, _ in each] for split, each in parts.items()},
        {split: np.asarray([label for _, label in each]) for split, each in parts.items()},
    )


def _values(file: Path) -> Mapping[str, str]:
    """Return the value of each number. Raises DataError, with the line, for what is no number and value."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8; save it so") from None
    found: dict[str, str] = {}
    for place, line in enumerate(lines, start=1):
        number, _, value = line.strip().partition(" ")
        if line.strip() and (not value.strip() or number in found):
            what = "again" if number in found else "without a value"
            raise DataError(
                f"{file}:{place} has the number {number} {what}; each line is a number and a value"
            )
        if line.strip():
            found[number] = value.strip()
    return found
