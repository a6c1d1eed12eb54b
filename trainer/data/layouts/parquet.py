"""parquet: Hugging Face's files with a column of encoded images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer.data.encoded import Encoded
from trainer.data.extras import needed
from trainer.data.gather import Listed, gather
from trainer.data.labels import class_names, numbered, plain_labels
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen
from trainer.data.words import SPLITS, split_within
from trainer.errors import DataError

IMAGES = ("image", "img", "picture", "photo")
LABELS = ("label", "labels", "class", "category", "target", "fine_label")


class _Shard(NamedTuple):
    """The columns of one file."""

    file: Path
    images: Sequence[Encoded]
    labels: Array
    names: tuple[str, ...] | None  # of the classes


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
        return [file for file in found if not file.name.startswith(".")]
    return [path] if path.suffix.lower() == ".parquet" else []


@layout(
    "parquet",
    about="a .parquet file with a column of encoded images and one of labels, or a folder of such files (Hugging Face)",
    splits="names of the files: train-00000-of-00001, validation, test",
    fits=lambda path, _: bool(_files(path)),
    answers=(*OF_PICTURES, "image", "label"),
    extra="pyarrow",
)
def read(path: Path, reading: Reading) -> Raw:
    """Read parquet files; the names of classes stand in their schema. Raises DataError."""
    pyarrow = needed("pyarrow.parquet", "parquet", f"{path} is of parquet files")
    shards: dict[str, list[_Shard]] = {}
    for file in _files(path):
        split = split_within(file.stem) if path.is_dir() else "train"
        shards.setdefault(split or "train", []).append(_shard(file, pyarrow, reading))
    if "train" not in shards:
        raise DataError(f"{path} has files of {', '.join(shards)} and none of train")
    first, place = shards["train"][0], str(path)
    labels = {split: np.concatenate([one.labels for one in each]) for split, each in shards.items()}
    order, classes = class_names(place, labels["train"], reading.classes or first.names)
    listed = {}
    for split, each in shards.items():
        images = [image for one in each for image in one.images]
        numbers = numbered(place, labels[split], order, len(images), of_train=split == "train")
        listed[split] = Listed(images, numbers.tolist())
    gathered = gather(path, listed, reading)
    seen = Seen("parquet files", tuple(_origin(shards, split) for split in SPLITS), gathered.pixels)
    parts = gathered.parts
    return Raw(
        path.resolve().stem,
        classes,
        parts["train"],
        parts.get("valid"),
        parts.get("test"),
        False,
        place,
        seen,
    )


def _origin(shards: Mapping[str, Sequence[_Shard]], split: str) -> str:
    return ", ".join(one.file.name for one in shards.get(split, ()))


def _shard(file: Path, pyarrow: Any, reading: Reading) -> _Shard:
    try:
        table = pyarrow.read_table(file)
    except Exception as error:  # pyarrow raises errors of its own types for damaged files
        raise DataError(
            f"{file} is no readable parquet file ({' '.join(str(error).split())[:120]})"
        ) from None
    image = _column(file, table, reading.image, IMAGES, "image")
    label = _column(file, table, reading.label, LABELS, "label")
    found = table.column(label).to_numpy()
    labels = plain_labels(f"{file}: {label}", found.astype(str) if found.dtype == object else found)
    return _Shard(file, _images(file, image, table.column(image).to_pylist()), labels, _names(table, label))


def _column(file: Path, table: Any, said: str | None, usual: Sequence[str], what: str) -> str:
    found = [said] if said else [name for name in table.column_names if name in usual]
    if len(found) != 1 or found[0] not in table.column_names:
        raise DataError(f"{file} has the columns {', '.join(table.column_names)}; say {what}: COLUMN")
    return found[0]


def _images(file: Path, name: str, cells: Sequence[Any]) -> list[Encoded]:
    found = []
    for row, cell in enumerate(cells):
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(content, bytes):
            raise DataError(
                f"{file}: {name} of row {row} holds no encoded image; write the files into the column"
            )
        found.append(Encoded(f"{file}, row {row}", content))
    return found


def _names(table: Any, label: str) -> tuple[str, ...] | None:
    """Return the names of the classes that Hugging Face's datasets writes into the schema."""
    try:
        stored = json.loads((table.schema.metadata or {})[b"huggingface"])
        return tuple(str(name) for name in stored["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return None
