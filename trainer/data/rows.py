"""Rows: the lines of a CSV file or the objects of a JSON file, as text by column."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.data.image_names import has_suffix
from trainer.errors import DataError

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json"})
LINES = frozenset({".jsonl", ".ndjson"})
DELIMITERS = ",;\t|"
MAX_FIELD = 1 << 20  # letters of one cell
PIXEL = re.compile(r"(pixel|px|p)[_ ]?\d+|\d+x\d+", re.IGNORECASE)  # name of a column
FEWEST_PIXELS = 16
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
INDEX = frozenset({"", "Unnamed: 0", "index"})  # names of the column in which programs number the rows
BEGIN = 1 << 12  # bytes by which a JSON file is judged
OBJECTS = re.compile(r"\s*\[\s*\{")  # begin of a list of objects
PAIRS = re.compile(
    r'\s*\{\s*"((?:[^"\\]|\\.)*)"\s*:\s*["\d]'
)  # begin of an object of texts or numbers by name


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


def is_table(file: Path) -> bool:
    """Whether a file is a table by its name; a JSON file is one where it begins as a list of objects or names files."""
    suffix = file.suffix.lower()
    if suffix != ".json" or not file.is_file():
        return suffix in SUFFIXES
    with file.open("rb") as stream:
        begin = stream.read(BEGIN).decode("utf-8-sig", "replace")
    pairs = PAIRS.match(begin)
    return bool(OBJECTS.match(begin)) or bool(pairs and has_suffix(pairs[1]))


def read_table(file: Path) -> Table:
    """Read a table. Raises DataError, with the line, for what is none."""
    text, suffix = _decoded(file), file.suffix.lower()
    table = (
        _json_lines(file, text)
        if suffix in LINES
        else _json(file, text)
        if suffix == ".json"
        else _csv(file, text)
    )
    if not table.rows:
        raise DataError(f"{file} has no rows below its header")
    repeated = [name for name in table.columns if table.columns.count(name) > 1]
    if repeated:
        raise DataError(f"{file} has two columns {repeated[0]}; give each a name of its own")
    return _without_index(table)


def _decoded(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{file}:{line} is no text in UTF-8; write the file in UTF-8, as with `iconv -f cp1252 -t utf-8` if it "
            "comes from Windows or Latin-1"
        ) from None


def _without_index(table: Table) -> Table:
    """Return a table without a column that only counts its rows."""
    first = table.columns[0]
    numbers = [row[0] for row in table.rows]
    if first not in INDEX or not any(
        numbers == [str(n + start) for n in range(len(numbers))] for start in (0, 1)
    ):
        return table
    return table._replace(columns=table.columns[1:], rows=tuple(row[1:] for row in table.rows))


def _csv(file: Path, text: str) -> Table:
    csv.field_size_limit(MAX_FIELD)
    try:
        found = list(_numbered(text, _delimiter(text)))
    except csv.Error as error:
        raise DataError(f"{file} cannot be read as CSV ({error})") from None
    if not found:
        raise DataError(f"{file} is empty")
    header = tuple(cell.strip() for cell in found[0][1])
    if len(header) > FEWEST_PIXELS and all(cell.isdigit() for cell in header):
        raise DataError(
            f"{file} has no header; write a first line such as label,pixel0,pixel1 .. if these are pixels"
        )
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


def _json(file: Path, text: str) -> Table:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"{file} is no JSON ({error})") from None
    if isinstance(found, dict):
        found = [{"file": name, "label": label} for name, label in found.items()]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f'{file} is no list of objects, such as [{{"file_name": .., "label": ..}}, ..]')
    objects = [{key: _text(value) for key, value in one.items()} for one in found]
    columns = tuple(dict.fromkeys(key for one in objects for key in one))
    rows = tuple(tuple(one.get(key, "") for key in columns) for one in objects)
    return Table(file, columns, rows, tuple(range(1, len(rows) + 1)))


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
    """Whether the columns of a table are pixels, or the cells of a column are all pixels of an image."""
    if file.suffix.lower() in LINES | {".json"}:
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        names, first = (_plain_cells(stream.readline()) for _ in range(2))
    columns = sum(bool(PIXEL.fullmatch(name)) for name in names) >= FEWEST_PIXELS
    return columns or (any(map(holds_pixels, first)) and not any(map(has_suffix, first)))


def _plain_cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in re.split(r"[,;\t]", line)]


def holds_pixels(cell: str) -> bool:
    """Whether a cell is numbers of 0..255 with spaces between them, as the pixels of an image in FER-2013."""
    numbers = cell.split()
    return len(numbers) >= FEWEST_PIXELS and all(
        number.isdigit() and int(number) <= 255 for number in numbers
    )
