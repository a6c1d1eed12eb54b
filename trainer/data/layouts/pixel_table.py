"""pixel_table: a CSV file with the label and every pixel of an image in a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data import shards
from trainer.data.arrays import Pair, raw_of
from trainer.data.columns import text_labels
from trainer.data.layouts.registry import layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.rows import PIXEL, SUFFIXES, Table, is_of_pixels, read_table
from trainer.data.seen import Seen, counted
from trainer.data.split_columns import split_column
from trainer.data.words import split_within
from trainer.errors import DataError


def _files(path: Path) -> list[Path]:
    folder = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [file for file in folder if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    return [file for file in found if file.is_file() and is_of_pixels(file)]


@layout(
    "pixel_table",
    about="a .csv file with the columns label, pixel0, pixel1 .. (Kaggle's digits), or a folder with one for each "
    "split or numbered ones (train_1.csv, train_2.csv) with the same columns; images are grey and square",
    splits="names of the files: train, val or valid, test",
    fits=lambda path, _: bool(_files(path)),
    answers=("bits", "range", "classes", "label"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read rows of pixels. Raises DataError where they are no square."""
    tables = [read_table(file) for file in _files(path)]
    of_files: dict[str, list[Table]] = {}
    for table in tables:
        if _label(table, reading) is not None:
            named = (split_within(table.file.stem) if path.is_dir() else None) or "train"
            of_files.setdefault(named, []).append(table)
    pairs: dict[str, Pair] = {}
    for named, each in of_files.items():
        for split, pair in _pairs(shards.joined(path, named, each), named, reading).items():
            if split in pairs:
                raise DataError(f"{pairs[split].x_name} and {pair.x_name} are both of {split}; give one path")
            pairs[split] = pair
    if "train" not in pairs:
        raise DataError(f"{path} has no column of labels beside its pixels; say label: COLUMN")
    passed = [
        ("a table without labels", table.file.name) for table in tables if _label(table, reading) is None
    ]
    seen = Seen(layout="table of pixels", skipped=counted(passed))
    return raw_of(str(path), path.resolve().stem, pairs, None, reading, seen)


def _pairs(tables: Sequence[Table], named: str, reading: Reading) -> dict[str, Pair]:
    """Return the images and labels of tables with the same columns by split: what a column says, else `named`."""
    label = _label(tables[0], reading) or ""
    x = np.concatenate([_pixels(table) for table in tables])
    y = np.concatenate([text_labels(table, label, reading) for table in tables])
    of = np.concatenate([_splits(table, label, named) for table in tables])
    names = ", ".join(table.file.name for table in tables)
    return {
        str(split): Pair(x[of == split], y[of == split], f"pixels of {names}", label)
        for split in np.unique(of)
    }


def _splits(table: Table, label: str, named: str) -> Array:
    """Return the split of each row."""
    others = {
        name: table.column(name) for name in table.columns if name != label and not PIXEL.fullmatch(name)
    }
    about = split_column(others, (label,), table.at)
    return np.asarray(about[1] if about else [named] * len(table.rows))


def _label(table: Table, reading: Reading) -> str | None:
    others = [name for name in table.columns if not PIXEL.fullmatch(name)]
    label = reading.label or ("label" if "label" in others else others[0] if len(others) == 1 else None)
    return label if label in table.columns else None


def _pixels(table: Table) -> Array:
    columns = [place for place, name in enumerate(table.columns) if PIXEL.fullmatch(name)]
    side = math.isqrt(len(columns))
    if side * side != len(columns):
        raise DataError(
            f"{table.file} has {len(columns)} columns of pixels, which are no square; save images as files"
        )
    try:
        flat = np.asarray([[row[place] for place in columns] for row in table.rows], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{table.file} has a pixel that is no number ({error})") from None
    return flat.reshape(-1, side, side)
