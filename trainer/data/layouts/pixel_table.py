"""pixel_table: a CSV file with the label and every pixel of an image in a row, in columns or in one cell."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data import shards
from trainer.data.arrays import Pair, raw_of
from trainer.data.columns import text_labels
from trainer.data.layouts.registry import layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.rows import PIXEL, Table, holds_pixels, is_of_pixels, is_table, read_table
from trainer.data.seen import Seen, counted
from trainer.data.split_columns import split_column
from trainer.data.words import split_within
from trainer.errors import DataError


def _files(path: Path) -> list[Path]:
    folder = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [file for file in folder if file.is_file() and is_table(file) and not file.name.startswith(".")]
    return [file for file in found if is_of_pixels(file)]


@layout(
    "pixel_table",
    about="a .csv file with the columns label, pixel0, pixel1 .. (Kaggle's digits) or with all pixels of an image in "
    "one cell (FER-2013), or a folder with one for each split or numbered ones (train_1.csv, train_2.csv) with the "
    "same columns; images are square",
    splits="names of the files: train, val or valid, test, or a column such as Usage",
    fits=lambda path, _: bool(_files(path)),
    answers=("bits", "channels", "depth", "range", "classes", "label"),
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
    x = np.concatenate([_pixels(table, reading) for table in tables])
    y = np.concatenate([text_labels(table, label, reading) for table in tables])
    of = np.concatenate([_splits(table, label, named) for table in tables])
    names = ", ".join(table.file.name for table in tables)
    return {
        str(split): Pair(x[of == split], y[of == split], f"pixels of {names}", label)
        for split in np.unique(of)
    }


def _splits(table: Table, label: str, named: str) -> Array:
    """Return the split of each row."""
    about = split_column(_others(table, (label,)), (label,), table.at)
    return np.asarray(about.rows if about else [named] * len(table.rows))


def _others(table: Table, taken: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns that are no pixels."""
    known = {*taken, _cells(table)}
    return {
        name: table.column(name) for name in table.columns if name not in known and not PIXEL.fullmatch(name)
    }


def _cells(table: Table) -> str | None:
    """Return the column of which each cell holds all pixels of an image."""
    return next(
        (name for name, cell in zip(table.columns, table.rows[0], strict=True) if holds_pixels(cell)), None
    )


def _label(table: Table, reading: Reading) -> str | None:
    if reading.label is not None:
        return reading.label if reading.label in table.columns else None
    others = _others(table, ())
    if "label" in others:
        return "label"
    about = split_column(others, (), table.at) if len(others) > 1 else None
    rest = [name for name in others if about is None or name not in about.columns]
    return rest[0] if len(rest) == 1 else None


def _pixels(table: Table, reading: Reading) -> Array:
    """Return images (N, H, W), or (N, H, W, C) or (N, C, H, W) as `channels` says. Raises DataError."""
    cells = _cells(table)
    try:
        flat = _of_columns(table) if cells is None else _of_cells(table, cells)
    except ValueError as error:
        raise DataError(f"{table.file} has a pixel that is no number ({error})") from None
    count = flat.shape[1]
    side, colour_side = math.isqrt(count), math.isqrt(count // 3)
    if side * side == count:
        return flat.reshape(-1, side, side)
    if 3 * colour_side * colour_side != count:
        where = "columns of pixels" if cells is None else f"numbers in {cells}"
        raise DataError(f"{table.file} has {count} {where}, which are no square; save images as files")
    if reading.channels is None:
        raise DataError(
            f"{table.file} has {count} pixels a row, {colour_side}x{colour_side} in 3 channels; say channels: last if "
            "red, green and blue of a pixel stand beside each other, or channels: first if all red ones stand first"
        )
    sides = (colour_side, colour_side)
    return flat.reshape(-1, *((3, *sides) if reading.channels == "first" else (*sides, 3)))


def _of_columns(table: Table) -> Array:
    numbers = {
        place: tuple(map(int, re.findall(r"\d+", name)))
        for place, name in enumerate(table.columns)
        if PIXEL.fullmatch(name)
    }
    order = sorted(numbers, key=numbers.__getitem__)  # programs write pixel10 before pixel2
    first, last = numbers[order[0]], numbers[order[-1]]
    if len(first) == 1 and last[0] - first[0] != len(order) - 1:
        raise DataError(
            f"{table.file} has {len(order)} columns of pixels, numbered from {first[0]} to {last[0]}; one is "
            "missing or there twice"
        )
    return _small(np.asarray([[row[place] for place in order] for row in table.rows], dtype=np.float32))


def _of_cells(table: Table, name: str) -> Array:
    rows = [np.asarray(cell.split(), dtype=np.float32) for cell in table.column(name)]
    for place, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{table.at(place)} has {len(row)} numbers in {name} and the first row {len(rows[0])}"
            )
    return _small(np.stack(rows))


def _small(flat: Array) -> Array:
    """Return whole numbers of 0..255 in 8 bits, as they were before they were text."""
    low, high = flat.min(), flat.max()
    return flat.astype(np.uint8) if low >= 0 and 1 < high <= 255 and (flat == np.rint(flat)).all() else flat
