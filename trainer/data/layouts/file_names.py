"""file_names: image files whose names say the class, as cat.0.jpg in Kaggle's Dogs vs. Cats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainer.data.classified import classified
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.name_classes import classes_of, without_masks
from trainer.data.raw import Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.tree import MASKED, scan
from trainer.data.words import SPLITS, split_of
from trainer.errors import DataError


@layout(
    "file_names",
    about="a folder of image files whose names say the class: cat.0.jpg, cat_12.jpg or 12_cat.jpg; it must be said",
    splits="folders train, val and test; files without one are split here",
    fits=lambda _path, _reading: False,  # names may say anything else: a camera, a patient, a day
    answers=(*OF_PICTURES, "skip"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read images by the class in their names; files without a class are passed over and counted. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"{path} is no folder; layout: file_names reads a folder of image files")
    tree = scan(path, reading.skip)
    files = without_masks(tree)
    found = classes_of(files)
    parts = _parts(path, found)
    labels = {split: np.asarray([found[file] for file in each]) for split, each in parts.items()}
    if "train" not in parts:
        raise DataError(f"{path} has no train image whose name says a class, such as cat.0.jpg or cat_12.jpg")
    gathered, classes = classified(path, parts, labels, reading)
    masks = [(MASKED, str(file.relative_to(path))) for file in tree.files() if file not in set(files)]
    unnamed = [("no class in its name", str(file.relative_to(path))) for file in files if file not in found]
    seen = Seen(
        layout="classes in file names",
        origins=tuple(f"{split} folder" if split in parts and len(parts) > 1 else "" for split in SPLITS),
        pixels=gathered.pixels,
        skipped=counted([*tree.all_skipped(), *masks, *unnamed]),
    )
    return gathered.raw(path, path.resolve().name, classes, seen)


def _parts(path: Path, found: Mapping[Path, str]) -> Mapping[str, list[Path]]:
    """Return the files of each split, by the folders above them."""
    parts: dict[str, list[Path]] = {}
    for file in sorted(found):
        above = [split for part in file.relative_to(path).parts[:-1] if (split := split_of(part))]
        parts.setdefault(above[-1] if above else "train", []).append(file)
    return parts
