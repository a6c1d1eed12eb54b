"""The columns that the table may show, each with the queries that show, hide or move it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from search.dashboard.studies.columns import SORTS
from search.dashboard.studies.trial_query import Query


class ColumnChoice(NamedTuple):
    """A column that the table shows or may show."""

    name: str
    is_shown: bool
    earlier: Query | None  # with the column one place to the left
    toggled: Query | None  # with the column hidden, or shown as the last; None where it is the only one


def column_choices(query: Query, shown: Sequence[str]) -> list[ColumnChoice]:
    """Return every column with the queries that move it left, and show or hide it; those that are shown come first."""
    made, names = [], list(shown)
    for place, name in enumerate(names):
        others = [*names[:place], *names[place + 1 :]]
        earlier = query.showing([*others[: place - 1], name, *others[place - 1 :]]) if place else None
        made.append(ColumnChoice(name, True, earlier, query.showing(others) if others else None))
    return made + [
        ColumnChoice(name, False, None, query.showing([*names, name])) for name in SORTS if name not in names
    ]
