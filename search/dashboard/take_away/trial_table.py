"""The trials of a study as CSV or JSON, with the columns that a person chose."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.dashboard.studies.columns import COLUMNS, SORTS, value_of
from search.dashboard.studies.selection import all_of
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query, QueryError
from search.dashboard.web.json_values import json_value

COLUMN = "column"  # parameter of the address, once for each column
FORM = "form"  # parameter of the address: csv or json, whatever its path says
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of texts that a spreadsheet would run


def parse_columns(given: Iterable[tuple[str, str]]) -> tuple[Sequence[str], Query]:
    """Read the parameters of an address: the columns, and the filters and the order of the table. Raises QueryError."""
    pairs = list(given)
    asked = list(dict.fromkeys(text for name, text in pairs if name == COLUMN))
    if wrong := next((text for text in asked if text not in COLUMNS), None):
        raise QueryError(f"column is {wrong[:40]!r}; it may be {', '.join(COLUMNS)}")
    return asked or SORTS, Query.parse([pair for pair in pairs if pair[0] not in (COLUMN, FORM)])


def rows(snapshot: Snapshot, columns: Sequence[str], query: Query) -> list[dict[str, Any]]:
    """Return the trials that a query keeps, in its order, on whatever page of the table they are."""
    return [
        {name: json_value(value_of(snapshot, trial, name)) for name in columns}
        for trial in all_of(snapshot, query)
    ]


def as_csv(columns: Sequence[str], found: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV; a text that a spreadsheet would run as a formula begins with an apostrophe."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(row[name]) for name in columns] for row in found)
    return written.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
