"""The trials of a study as CSV or JSON, with the columns that a person chose."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import METRICS, Query, QueryError, column_value
from search.dashboard.studies.trial_view import PLANNED, TrialView
from search.dashboard.web.json_values import json_value

COLUMN = "column"  # parameter of the address, once for each column
FORM = "form"  # parameter of the address: csv or json, whatever its path says
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of texts that a spreadsheet would run

Cell = Callable[[Snapshot, TrialView], Any]


def _metric(name: str) -> Cell:
    return lambda snapshot, trial: column_value(trial, name)


def _planned(name: str) -> Cell:
    """A count that follows from the genome; the storage keeps those of trained networks as floats."""

    def count(snapshot: Snapshot, trial: TrialView) -> int | None:
        value = column_value(trial, name)
        return None if value is None else int(value)

    return count


def _score(part: str) -> Cell:
    return lambda snapshot, trial: getattr(snapshot.score(trial.record), part, None)


def _attribute(name: str) -> Cell:
    return lambda snapshot, trial: getattr(trial.record, name)


def _origin(name: str) -> Cell:
    return lambda snapshot, trial: getattr(trial.record.origin, name, None)


COLUMNS: Mapping[str, Cell] = {
    "number": _attribute("number"),
    "outcome": lambda snapshot, trial: trial.outcome,
    # the mean over the seeds of the finale, or the one score of the search
    "mean": _score("value"),
    "deviation": _score("deviation"),
    "seeds": _score("seeds"),
    **{name: _planned(name) if name in PLANNED else _metric(name) for name in METRICS},
    "epochs": _attribute("epochs"),
    "planned_epochs": _attribute("planned_epochs"),
    "seconds": _metric("seconds"),
    "finale_seconds": lambda snapshot, trial: trial.record.finale.seconds if trial.record.finale else None,
    "began": lambda snapshot, trial: trial.began,
    "ended": lambda snapshot, trial: trial.ended,
    "by": _origin("by"),
    "parents": _origin("parents"),
    "moves": _origin("moves"),
    "recipe": lambda snapshot, trial: dict(trial.record.searched) or None,
    "kind": _attribute("kind"),
    "reason": _attribute("reason"),
    "digest": _attribute("digest"),
    "reused": _attribute("reused"),
    "starred": lambda snapshot, trial: trial.record.number in snapshot.attrs.stars,
    "note": lambda snapshot, trial: snapshot.attrs.notes.get(trial.record.number),
    "genome": _attribute("genome"),
}
USUAL = tuple(name for name in COLUMNS if name != "genome")


def parse_columns(given: Iterable[tuple[str, str]]) -> tuple[Sequence[str], Query]:
    """Read the parameters of an address: the columns, and the filters and the order of the table. Raises QueryError."""
    pairs = list(given)
    asked = list(dict.fromkeys(text for name, text in pairs if name == COLUMN))
    if wrong := next((text for text in asked if text not in COLUMNS), None):
        raise QueryError(f"column is {wrong[:40]!r}; it may be {', '.join(COLUMNS)}")
    return asked or USUAL, Query.parse([pair for pair in pairs if pair[0] not in (COLUMN, FORM)])


def rows(snapshot: Snapshot, columns: Sequence[str], query: Query) -> list[dict[str, Any]]:
    """Return the trials that a query keeps, in its order, on whatever page of the table they are."""
    trials = query.all_of(snapshot.starred if query.starred else snapshot.trials)
    return [{name: json_value(COLUMNS[name](snapshot, trial)) for name in columns} for trial in trials]


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
