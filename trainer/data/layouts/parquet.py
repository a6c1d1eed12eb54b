"""parquet: Hugging Face's files with a column of encoded images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer.data.beside import COUNTED
from trainer.data.classified import classified
from trainer.data.encoded import Encoded
from trainer.data.extras import needed
from trainer.data.labels import plain_labels
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen
from trainer.data.split_columns import split_column
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
        split = split_within(file.stem) if path.is_dir() else None
        shards.setdefault(split or "train", []).append(_shard(file, split, pyarrow, reading))
    if "train" not in shards:
        raise DataError(f"{path} has files of {', '.join(shards)} and none of train")
    if path.is_dir():
        _check_whole(path, shards)
    first = shards["train"][0]
    shards = {split: [_as_first(one, first, reading) for one in each] for split, each in shards.items()}
    labels = {split: np.concatenate([one.labels for one in each]) for split, each in shards.items()}
    images = {split: [image for one in each for image in one.images] for split, each in shards.items()}
    gathered, classes = classified(path, images, labels, reading, first.names)
    seen = Seen("parquet files", tuple(_origin(shards, split) for split in SPLITS), gathered.pixels)
    return gathered.raw(path, path.resolve().stem, classes, seen)


def _check_whole(path: Path, shards: Mapping[str, Sequence[_Shard]]) -> None:
    """Raise DataError where a split has fewer files than the names of its files count."""
    for split, each in shards.items():
        counts = [int(found[1]) for one in each if (found := COUNTED.fullmatch(one.file.stem))]
        if len(counts) == len(each) < max(counts, default=0):
            raise DataError(
                f"{path} has {len(each)} of the {max(counts)} files of {split} that {each[0].file.name} counts; fetch "
                "the others, or rename those that are there to read them alone, as "
                f"{split}-0{each[0].file.suffix}"
            )


def _origin(shards: Mapping[str, Sequence[_Shard]], split: str) -> str:
    return ", ".join(one.file.name for one in shards.get(split, ()))


def _as_first(shard: _Shard, first: _Shard, reading: Reading) -> _Shard:
    """Return a shard with labels numbered as in the first one, by the names of the classes. Raises DataError."""
    if len(shard.labels) == 0:
        return shard._replace(labels=first.labels[:0])
    if (shard.labels.dtype.kind == "U") != (first.labels.dtype.kind == "U"):
        raise DataError(
            f"{shard.file} and {first.file} have labels of texts and of numbers; write both alike"
        )
    if shard.names == first.names or shard.labels.dtype.kind == "U":
        return shard
    if shard.names is None or first.names is None:
        if reading.classes is not None:  # the user names the numbers
            return shard
        named, other = (first, shard) if shard.names is None else (shard, first)
        raise DataError(
            f"{other.file} does not name its classes and {named.file} does; write the names into both, or say "
            f"classes: [{', '.join(named.names or ())}] if the numbers are alike"
        )
    if strange := sorted(set(shard.names) - set(first.names)):
        raise DataError(
            f"{shard.file} names the class {strange[0]}, which {first.file} does not; write the same names into both"
        )
    order = np.asarray([first.names.index(name) for name in shard.names])
    inside = (shard.labels >= 0) & (shard.labels < len(order))
    moved = np.where(inside, order[shard.labels.clip(0, len(order) - 1)], shard.labels)
    if not inside.all():
        raise DataError(f"{shard.file} holds the label {moved[~inside][0]}; it names {len(order)} classes")
    return shard._replace(labels=moved, names=first.names)


def _shard(file: Path, split: str | None, pyarrow: Any, reading: Reading) -> _Shard:
    try:
        table = pyarrow.read_table(file)
    except Exception as error:  # pyarrow raises errors of its own types for damaged files
        raise DataError(
            f"{file} is no readable parquet file ({' '.join(str(error).split())[:120]})"
        ) from None
    image = _column(file, table, reading.image, IMAGES, "image")
    label = _column(file, table, reading.label, LABELS, "label")
    _check_splits(file, split, table, (image, label))
    return _Shard(
        file,
        _images(file, image, table.column(image).to_pylist()),
        _labels(file, table, label, reading),
        _names(table, label),
    )


def _labels(file: Path, table: Any, label: str, reading: Reading) -> Array:
    cells = table.column(label).to_pylist()
    missing = [row for row, cell in enumerate(cells) if cell is None or cell != cell]
    if missing:
        raise DataError(
            f"{file}: row {missing[0]} has no {label} ({len(missing)} rows in all); label or remove these rows"
        )
    if any(isinstance(cell, list | dict) for cell in cells):
        raise DataError(
            f"{file}: {label} holds a list for each image; several labels an image are read from a table or from "
            "arrays (multilabel: true), so write them there, or give one class for each"
        )
    if not all(isinstance(cell, bool | int | float | str) for cell in cells):
        raise DataError(
            f"{file}: {label} is {table.schema.field(label).type}; labels must be numbers or texts"
        )
    return plain_labels(f"{file}: {label}", np.asarray(cells), reading.classes)


def _check_splits(file: Path, split: str | None, table: Any, taken: Sequence[str]) -> None:
    """Raise DataError where a column says that rows of a file are of different splits, or not of that of its name."""
    columns = {}
    for field in table.schema:
        if field.name not in taken and str(field.type).startswith(
            ("bool", "int", "uint", "string", "large_string")
        ):
            cells = table.column(field.name).to_pylist()
            columns[field.name] = ["" if cell is None else str(cell) for cell in cells]
    about = split_column(columns, taken, lambda row: f"{file}, row {row},")
    if about is not None and set(about.rows) - {split or about.rows[0]}:
        named, parts = " and ".join(about.columns), " and ".join(sorted(set(about.rows)))
        raise DataError(
            f"{file} has rows of {parts} by its column {named}; write "
            "one file for each split, such as train.parquet and test.parquet"
        )


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
