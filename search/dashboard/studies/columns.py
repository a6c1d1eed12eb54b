"""The columns of the table of trials: what the page shows and sorts by, what filters read, what downloads hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from search.dashboard.studies.trial_view import PLANNED, TrialView, column_value
from search.objective import MEASURES

if TYPE_CHECKING:
    from search.dashboard.studies.snapshot import Snapshot

METRICS = tuple(MEASURES)
NUMBER, TEXT, MOMENT, ANSWER, LIST = "a number", "a text", "a date", "yes or no", "a list"  # kinds of values

# of trials, as they are stored, and `reused`
OUTCOMES = (
    *("done", "cut", "pruned", "reused", "refused", "failed"),
    *("interrupted", "running", "paused", "waiting"),
)

Cell = Callable[["Snapshot", TrialView], Any]


class Column(NamedTuple):
    """One column."""

    kind: str
    cell: Cell
    says: str = ""  # what it holds, where its name does not tell
    words: tuple[str, ...] = ()  # all that it may hold, where these are few


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


COLUMNS: Mapping[str, Column] = {
    "number": Column(NUMBER, _attribute("number")),
    "outcome": Column(TEXT, lambda snapshot, trial: trial.outcome, words=OUTCOMES),
    # the mean over the seeds of the finale, or the one score of the search
    "mean": Column(NUMBER, _score("value"), "mean over seeds, else the one score"),
    "deviation": Column(NUMBER, _score("deviation"), "over seeds"),
    "seeds": Column(NUMBER, _score("seeds"), "trainings of which the mean is"),
    **{name: Column(NUMBER, _planned(name) if name in PLANNED else _metric(name)) for name in METRICS},
    "epochs": Column(NUMBER, _attribute("epochs")),
    "planned_epochs": Column(NUMBER, _attribute("planned_epochs")),
    "seconds": Column(NUMBER, _metric("seconds"), "of the search"),
    "finale_seconds": Column(
        NUMBER, lambda snapshot, trial: trial.record.finale.seconds if trial.record.finale else None
    ),
    "began": Column(MOMENT, lambda snapshot, trial: trial.began),
    "ended": Column(MOMENT, lambda snapshot, trial: trial.ended),
    "by": Column(TEXT, _origin("by"), "who proposed it"),
    "parents": Column(LIST, _origin("parents")),
    "moves": Column(LIST, _origin("moves")),
    "recipe": Column(LIST, lambda snapshot, trial: dict(trial.record.searched) or None),
    "kind": Column(TEXT, _attribute("kind"), "of a failure"),
    "reason": Column(TEXT, _attribute("reason")),
    "digest": Column(TEXT, _attribute("digest")),
    "reused": Column(NUMBER, _attribute("reused"), "the trial whose result it has"),
    "starred": Column(ANSWER, lambda snapshot, trial: trial.record.number in snapshot.attrs.stars),
    "note": Column(TEXT, lambda snapshot, trial: snapshot.attrs.notes.get(trial.record.number)),
    "tags": Column(LIST, lambda snapshot, trial: snapshot.attrs.tags.get(trial.record.number)),
    "genome": Column(TEXT, _attribute("genome")),
}
SORTS = tuple(name for name in COLUMNS if name != "genome")


def value_of(snapshot: Snapshot, trial: TrialView, name: str) -> Any:
    """Return the value of a trial in a column, None where it has none."""
    return COLUMNS[name].cell(snapshot, trial)


SOUGHT = (
    "number",
    "outcome",
    "by",
    "parents",
    "moves",
    "recipe",
    "kind",
    "reason",
    "digest",
    "note",
    "tags",
    "genome",
)


def has_text(snapshot: Snapshot, trial: TrialView, text: str) -> bool:
    """Return whether a trial has a text in one of its columns of text, in capitals or not."""
    wanted = text.casefold()
    for name in SOUGHT:
        value = value_of(snapshot, trial, name)
        if value is not None and wanted in str(value).casefold():
            return True
    return False


def sort_key(value: Any) -> Any:
    """Return what a column is sorted by: lists as text."""
    return str(value) if isinstance(value, list | tuple | dict) else value
