"""Shards: numbered tables that together are one split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.data.rows import Table
from trainer.errors import DataError

NUMBERED = re.compile(r"(.*?)[_\-. ]?(\d+)(?:[_\-]of[_\-](\d+))?", re.IGNORECASE)


class _Number(NamedTuple):
    """The name of a shard: what all have alike, its own number, and how many there are where the name says it."""

    stem: str
    place: int
    total: int | None


def joined(path: Path, split: str, tables: Sequence[Table]) -> Sequence[Table]:
    """Return the tables of one split in the order of their numbers.

    Raises DataError where several are no shards: other names than numbered ones, other columns, or a missing number.
    """
    if len(tables) == 1:
        return tables
    numbers = [_number(table.file.stem) for table in tables]
    known = [one for one in numbers if one is not None]
    if len({(one.stem, one.total) for one in known}) > 1 or len({one.place for one in known}) < len(tables):
        raise DataError(
            f"{path} has {_both(tables)}, which are both of {split}; join them into one file, number them as "
            f"{split}_1.csv and {split}_2.csv if they are pieces of one set, or give the path of the one to read"
        )
    for table in tables[1:]:
        if table.columns != tables[0].columns:
            raise DataError(
                f"{path} has {tables[0].file.name} and {table.file.name}, whose columns differ; pieces of one split "
                "have the same columns, so save them alike or give the path of the one to read"
            )
    if (count := known[0].total) is not None and count != len(tables):
        raise DataError(
            f"{path} has {len(tables)} of the {count} files that {tables[0].file.name} counts; fetch the others"
        )
    return [table for _, table in sorted(zip(known, tables, strict=True), key=lambda one: one[0].place)]


def _number(stem: str) -> _Number | None:
    found = NUMBERED.fullmatch(stem)
    return found and _Number(found[1].lower(), int(found[2]), int(found[3]) if found[3] else None)


def _both(tables: Sequence[Table]) -> str:
    return " and ".join(table.file.name for table in tables[:2])
