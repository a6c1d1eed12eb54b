"""table: a CSV or JSON file with a column of file names and one of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data.columns import Labelled, image_column, labelled
from trainer.data.gather import Listed, gather
from trainer.data.groups import numbered_groups
from trainer.data.image_names import ImageNames, common_parts
from trainer.data.labels import class_names, numbered
from trainer.data.layouts import folders
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.multilabel import of_lists
from trainer.data.raw import Labels, Raw
from trainer.data.reading import Reading
from trainer.data.rows import Table, is_of_pixels, is_table, read_table
from trainer.data.seen import Seen, counted
from trainer.data.split_columns import split_column
from trainer.data.tree import Folder, scan
from trainer.data.words import SPLITS, split_of, split_within
from trainer.errors import DataError


class _Listing(NamedTuple):
    """A table with its columns, and the split that its name or its folder says."""

    table: Table
    about: Labelled
    split: str | None
    said: str | None  # as split, also where the table is the one that is read


class _Row(NamedTuple):
    """One image of a table."""

    file: Path
    label: int | str | tuple[str, ...]
    group: str
    place: str


def _tables(path: Path) -> list[tuple[Path, str | None]]:
    """Return the tables of a folder with the split of each: directly in it, else in the folders of its splits."""
    if not path.is_dir():
        return [(path, None)] if is_table(path) else []
    direct = [(file, split_within(file.stem)) for file in _files(path)]
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and split_of(folder.name)]
    return direct or [(file, split_of(folder.name)) for folder in inner for file in _files(folder)]


def _files(folder: Path) -> list[Path]:
    found = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return [file for file in found if is_table(file)]


def _fits(path: Path, reading: Reading) -> bool:
    tables = [file for file, _ in _tables(path) if path.is_file() or not _is_submission(file)]
    if not tables or not path.is_dir():
        return bool(tables) and not is_of_pixels(path)
    names = ImageNames(path, scan(path, reading.skip).files())
    read = (read_table(file) for file in tables)
    naming = [(one, images) for one in read if (images := image_column(one, names, reading))]
    repeated = not reading.of_table() and folders.fits(path, reading)
    return any(not (repeated and _repeats_folders(one, images, names)) for one, images in naming)


def _is_submission(file: Path) -> bool:
    """Whether a table is by its name what Kaggle gives as a sample of an answer: its labels are no labels."""
    return "submission" in file.stem.lower()


def _repeats_folders(table: Table, images: str, names: ImageNames) -> bool:
    """Whether a table says of each file what its class folder says, and no other split than the folder above that."""
    cells = table.column(images)
    cut = common_parts(cells)
    files = [names.find(cell, table.file.parent, cut=cut) for cell in cells]
    classes = [file.parent.name if file else "" for file in files]
    labels = [name for name in table.columns if table.column(name) == classes]
    if not labels:
        return False
    others = {name: table.column(name) for name in table.columns if name not in (images, *labels)}
    about = split_column(others, labels, table.at)
    above = [split_of(file.parent.parent.name) if file else None for file in files]
    return about is None or about.rows == above


@layout(
    "table",
    about="a .csv, .tsv, .jsonl or .json file with a column of file names and one of labels (or one column per class), "
    "or a folder that has one",
    splits="a column split, or names of the tables or of their folders: train, val or valid, test",
    fits=_fits,
    answers=(*OF_PICTURES, "multilabel", "skip", "image", "label", "group"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read the images that tables name. Raises DataError for files that are not there, and for what is left open."""
    root = path if path.is_dir() else path.parent
    tree = scan(root, reading.skip)
    names = ImageNames(root, tree.files())
    listings, passed = _listings(path, names, reading)
    rows = _rows(listings, names, reading)
    place = str(listings[0].table.file)
    known = reading.classes or listings[0].about.classes
    labels, classes = (_several if reading.multilabel else _single)(place, rows, known)
    groups = _groups(Path(place), rows) if reading.group else {}
    listed = {
        split: Listed([row.file for row in each], labels[split].tolist(), groups.get(split))
        for split, each in rows.items()
    }
    gathered = gather(root, listed, reading)
    seen = Seen(
        layout=_said(listings[0]),
        origins=tuple(_origin(listings, split) if split in rows else "" for split in SPLITS),
        pixels=gathered.pixels,
        skipped=counted([*_unread(tree, listings, passed), *passed, *_beside(tree, rows)]),
    )
    return gathered.raw(path, path.resolve().stem, classes, seen)


def _said(listing: _Listing) -> str:
    return (
        f"table {listing.table.file.name}, files in {listing.about.images}, labels in {listing.about.label}"
    )


def _unread(
    tree: Folder, listings: Sequence[_Listing], passed: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return what was passed over, without the tables that were read or have a reason of their own."""
    told = {listing.table.file.name for listing in listings} | {name for _, name in passed}
    return [(why, file) for why, file in tree.all_skipped() if Path(file).name not in told]


def _origin(listings: Sequence[_Listing], split: str) -> str:
    of_split = [one.table.file.name for one in listings if one.split == split]
    return ", ".join(of_split) or ("rows" if listings[0].about.splits else listings[0].table.file.name)


def _listings(
    path: Path, names: ImageNames, reading: Reading
) -> tuple[list[_Listing], list[tuple[str, str]]]:
    """Return the tables that are read, and those that are passed over with the reason."""
    found, passed = [], []
    for file, split in _tables(path):
        if _is_submission(file) and path.is_dir():
            passed.append(("a sample of a submission", file.name))
            continue
        table = read_table(file)
        images = image_column(table, names, reading)
        about = labelled(table, images, reading) if images else None
        if about is None:
            passed.append((f"a table without {'labels' if images else 'file names'}", file.name))
        else:
            found.append(_Listing(table, about, split, split or split_within(file.stem)))
    if not found:
        raise DataError(
            f"{path} has no column that names image files and one of labels; say image: COLUMN and label: COLUMN"
        )
    return _of_splits(path, found, passed)


def _of_splits(
    path: Path, found: list[_Listing], passed: list[tuple[str, str]]
) -> tuple[list[_Listing], list[tuple[str, str]]]:
    named = [one for one in found if one.split]
    if len(found) > 1 and any(one.split == "train" for one in named):
        passed += [("a table of no split", one.table.file.name) for one in found if not one.split]
        return named, passed
    if len(found) > 1:
        listed = " and ".join(one.table.file.name for one in found)
        raise DataError(f"{path} has {listed}; give the path of the one to read")
    return [found[0]._replace(split=None)], passed


def _rows(listings: Sequence[_Listing], names: ImageNames, reading: Reading) -> Mapping[str, list[_Row]]:
    rows: dict[str, list[_Row]] = {}
    seen: dict[Path, _Row] = {}
    for listing in listings:
        for split, row in _rows_of(listing, names, reading):
            before = seen.setdefault(row.file, row)
            if before is not row:
                raise DataError(
                    f"{row.place} names {row.file.name} again ({before.place}); an image has one row"
                )
            rows.setdefault(split, []).append(row)
    if "train" not in rows:
        raise DataError(f"{listings[0].table.file} has no row of train; its splits are {', '.join(rows)}")
    return rows


def _rows_of(listing: _Listing, names: ImageNames, reading: Reading) -> list[tuple[str, _Row]]:
    table, about = listing.table, listing.about
    cells, found, missing = table.column(about.images), [], []
    groups = table.column(reading.group) if reading.group else [""] * len(cells)
    cut = common_parts(cells)
    for number, cell in enumerate(cells):
        split = about.splits[number] if about.splits else listing.split or "train"
        said = about.splits[number] if about.splits else listing.said
        file = names.find(cell, table.file.parent, said, cut)
        if file is None:
            missing.append((table.at(number), cell))
        else:
            found.append((split, _Row(file, about.labels[number], groups[number], table.at(number))))
    if missing:
        raise DataError(
            f"{missing[0][0]} names {missing[0][1]}, which is not there ({len(missing)} of {len(cells)} files in all); "
            f"restore the files, take their rows out, or write their paths below {names.root}"
        )
    return found


def _groups(place: Path, rows: Mapping[str, Sequence[_Row]]) -> Mapping[str, list[int]]:
    return numbered_groups(place, {split: [row.group for row in each] for split, each in rows.items()})


def _single(
    place: str, rows: Mapping[str, Sequence[_Row]], names: tuple[str, ...] | None
) -> tuple[Mapping[str, Labels], tuple[str, ...]]:
    """Return the class of each image, by part, and the names of the classes."""
    found = {split: np.asarray([row.label for row in each]) for split, each in rows.items()}
    order, classes = class_names(place, found["train"], names)
    return {
        split: numbered(place, one, order, len(one), of_train=split == "train")
        for split, one in found.items()
    }, classes


def _several(
    place: str, rows: Mapping[str, Sequence[_Row]], names: tuple[str, ...] | None
) -> tuple[Mapping[str, Labels], tuple[str, ...]]:
    """Return the labels of each image, by part, and the names of the labels."""
    lists = {
        split: [row.label for row in each if isinstance(row.label, tuple)] for split, each in rows.items()
    }
    return of_lists(place, lists, names)


def _beside(tree: Folder, rows: Mapping[str, Sequence[_Row]]) -> list[tuple[str, str]]:
    taken = {row.file for each in rows.values() for row in each}
    return [("in no row", str(file.relative_to(tree.path))) for file in tree.files() if file not in taken]
