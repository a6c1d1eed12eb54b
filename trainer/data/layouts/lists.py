"""lists: images with a text file of paths for each split, as train.txt and val.txt of Caffe, Food-101 or ImageNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trainer.data.classified import classified
from trainer.data.image_names import ImageNames
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.list_files import ELSE, Row, list_files, read_list
from trainer.data.other_tasks import other_task
from trainer.data.raw import Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.tree import Folder, scan
from trainer.data.words import SPLITS, split_of
from trainer.errors import DataError

Rows = Mapping[str, Sequence[Row]]


def _fits(path: Path, reading: Reading) -> bool:
    """Whether lists say the train images and two classes of them; true for lists that are wrong."""
    if not path.is_dir():
        return False
    tree = scan(path, reading.skip)
    try:
        rows, _ = _rows(tree)
    except DataError:
        return other_task(tree) is None
    return len({row.label for row in _named(rows).get("train", ())}) > 1


@layout(
    "lists",
    about="a folder of images with a text file of paths for each split, train.txt and val.txt or test.txt, each line "
    "with the number or name of the class behind the path (Caffe) or without (Food-101: the class is the folder)",
    splits="names of the text files; a folder train of class folders may stand for its list (Tiny ImageNet)",
    fits=_fits,
    answers=(*OF_PICTURES, "skip"),
    over=("folders",),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read the images that lists name. Raises DataError for files that are not there."""
    if not path.is_dir():
        raise DataError(f"{path} is no folder; layout: lists reads a folder of images and of lists")
    tree = scan(path, reading.skip)
    rows, origins = _rows(tree)
    if "train" not in rows:
        raise DataError(f"{path} has no list of train images, such as train.txt with a path on each line")
    named = _named(rows)
    files = {split: [row.file for row in each] for split, each in named.items()}
    labels = {split: np.asarray([row.label for row in each]) for split, each in named.items()}
    gathered, classes = classified(path, files, labels, reading)
    taken = {file for each in files.values() for file in each}
    beside = [("in no list", str(file.relative_to(path))) for file in tree.files() if file not in taken]
    skipped = [(why, file) for why, file in tree.all_skipped() if file not in origins.values()]
    seen = Seen(
        layout="lists of images",
        origins=tuple(origins.get(split, "") for split in SPLITS),
        pixels=gathered.pixels,
        skipped=counted([*skipped, *beside]),
    )
    return gathered.raw(path, path.resolve().name, classes, seen)


def _rows(tree: Folder) -> tuple[Rows, Mapping[str, str]]:
    """Return the images of each split, and where they are said. Raises DataError where an image is of two splits."""
    lists = list_files(tree)
    names = ImageNames(tree.path, tree.files() if lists else ())
    rows = {split: read_list(file, split, names) for split, file in lists.items()}
    origins = {split: str(file.relative_to(tree.path)) for split, file in lists.items()}
    for folder in tree.filled if rows else ():
        if "train" not in rows and split_of(folder.path.name) == "train" and folder.filled:
            rows["train"] = [Row(file, inner.path.name) for inner in folder.filled for file in inner.files()]
            origins["train"] = f"{folder.path.name}/"
    seen: dict[Path, str] = {}
    for split, each in rows.items():
        for row in each:
            if seen.setdefault(row.file, split) != split:
                raise DataError(
                    f"{row.file} is of {seen[row.file]} and of {split} by its lists; an image has one split{ELSE}"
                )
    return rows, origins


def _named(rows: Rows) -> Rows:
    """Return rows with the folder of the file as its label where the list says none, or numbers these folders."""
    labels = {(row.label, row.file.parent.name) for row in rows.get("train", ())}
    folders = dict(labels)
    is_numbering = len(labels) == len(folders) == len(set(folders.values())) > 1 and None not in folders
    numbers = is_numbering and all(str(label).isdigit() for label in folders)

    def name(row: Row) -> str | None:
        if row.label is None:
            return row.file.parent.name
        return folders.get(row.label, row.label) if numbers else row.label

    return {split: [row._replace(label=name(row)) for row in each] for split, each in rows.items()}
