"""The relatives of a trial: parents, children, the trial that it repeats, the trial that gave its weights."""

from __future__ import annotations

from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links

MOST_RELATIVES = 100  # children, and steps back along the line of first parents


def relatives(snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
    """Return the values of a trial's page that show its relatives."""
    number = trial.record.number
    children = snapshot.children.get(number, [])
    return {
        "reused": _related(snapshot, trial.record.reused),
        "parents": [_relative(snapshot, parent, how) for parent, how in trial.parents.items()],
        "children": [
            _relative(snapshot, child.record.number, child.parents[number])
            for child in children[:MOST_RELATIVES]
        ],
        "children_count": len(children),
        "line": _line_of_descent(snapshot, trial),
        "against_parents": [
            {"number": parent, "href": links.compare(snapshot.name, (parent, number))}
            for parent in trial.parents
            if parent in snapshot.by_number
        ],
        "retry_of": _related(snapshot, trial.record.retry_of),
        "giver": _related(snapshot, _giver(trial)),
    }


def _giver(trial: TrialView) -> int | None:
    """The number of the trial whose weights were the first weights of this trial."""
    number = trial.record.inherited.get("from") if trial.record.inherited else None
    return number if isinstance(number, int) else None


def _relative(snapshot: Snapshot, number: int, how: str) -> dict[str, Any]:
    """A relative, the kind of the relation, and the mutations that made the relative itself."""
    trial = snapshot.by_number.get(number)
    moves = list(trial.record.origin.moves) if trial and trial.record.origin else []
    return {"how": how, "moves": moves, **(_related(snapshot, number) or {})}


def _related(snapshot: Snapshot, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    trial = snapshot.by_number.get(number)
    return {
        "number": number,
        "href": links.trial(snapshot.name, number) if trial else None,
        "outcome": trial.outcome if trial else None,
        snapshot.goal.name: trial.metric(snapshot.goal.name) if trial else None,
    }


def _line_of_descent(snapshot: Snapshot, trial: TrialView) -> list[dict[str, Any]]:
    """The first parent of the trial, the first parent of that parent, and so on."""
    made, seen = list[dict[str, Any]](), {trial.record.number}
    while len(made) < MOST_RELATIVES and trial.parents:
        number, how = next(iter(trial.parents.items()))
        if number in seen or number not in snapshot.by_number:
            break
        seen.add(number)
        made.append(_relative(snapshot, number, how))
        trial = snapshot.by_number[number]
    return made
