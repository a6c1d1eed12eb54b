"""Rows: the lines of a CSV or JSON lines file, as text by column."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.errors import DataError

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})
DELIMITERS = ",;\t|"
MAX_FIELD = 1 << 20  # letters of one cell
PIXEL = re.compile(r"(pixel|px|p)[_ ]?\d+|\d+x\d+", re.IGNORECASE)  # name of a column
FEWEST_PIXELS = 16


class Table(NamedTuple):
    """A table: every row has a text for each column, an empty one where the file has none."""

    file: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]  # of the file, for each row

    def column(self, name: str) -> list[str]:
        """Return the texts of a column. Raises DataError where there is none of that name."""
        if name not in self.columns:
            raise DataError(f"{self.file} has no column {name}; it has {', '.join(self.columns)}")
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def at(self, row: int) -> str:
        """Return where a row stands, for a message."""
        return f"{self.file}:{self.lines[row]}"


def read_table(file: Path) -> Table:
    """Read a table. Raises DataError, with the line, for what is none."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8; save it so") from None
    table = _json_lines(file, text) if file.suffix.lower() in (".jsonl", ".ndjson") else _csv(file, text)
    if not table.rows:
        raise DataError(f"{file} has no rows below its header")
    repeated = [name for name in table.columns if table.columns.count(name) > 1]
    if repeated:
        raise DataError(f"{file} has two columns {repeated[0]}; give each a name of its own")
    return table


def _csv(file: Path, text: str) -> Table:
    csv.field_size_limit(MAX_FIELD)
    try:
        found = list(_numbered(text, _delimiter(text)))
    except csv.Error as error:
        raise DataError(f"{file} cannot be read as CSV ({error})") from None
    if not found:
        raise DataError(f"{file} is empty")
    header = tuple(cell.strip() for cell in found[0][1])
    for line, row in found[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{file}:{line} has {len(row)} cells and the header {len(header)}; quote cells with commas"
            )
    body = [tuple(cell.strip() for cell in row) for _, row in found[1:]]
    return Table(file, header, tuple(body), tuple(line for line, _ in found[1:]))


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first line into the most cells."""
    first = text.splitlines()[:1]
    return max(DELIMITERS, key=lambda one: len(next(csv.reader(first, delimiter=one), [])))


def _json_lines(file: Path, text: str) -> Table:
    objects: list[tuple[int, dict[str, str]]] = []
    for line, written in enumerate(text.splitlines(), start=1):
        if written.strip():
            objects.append((line, _object(f"{file}:{line}", written)))
    columns = tuple(dict.fromkeys(key for _, one in objects for key in one))
    rows = tuple(tuple(one.get(key, "") for key in columns) for _, one in objects)
    return Table(file, columns, rows, tuple(line for line, _ in objects))


def _object(place: str, written: str) -> dict[str, str]:
    try:
        value = json.loads(written)
    except ValueError as error:
        raise DataError(f"{place} is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise DataError(
            f'{place} is no object; each line must be one, such as {{"file_name": .., "label": ..}}'
        )
    return {key: _text(one) for key, one in value.items()}


def _text(value: object) -> str:
    if value is None or value != value:  # NaN is how a table without a value is often written
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def is_of_pixels(file: Path) -> bool:
    """Whether the columns of a table are pixels."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        head = re.split(r"[,;\t]", stream.readline())
    return sum(bool(PIXEL.fullmatch(cell.strip().strip('"'))) for cell in head) >= FEWEST_PIXELS
