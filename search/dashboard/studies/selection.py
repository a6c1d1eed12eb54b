"""The trials that a query keeps, in its order, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from search.dashboard.studies import expression
from search.dashboard.studies.columns import has_text, sort_key, value_of
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import ENDS, Query
from search.dashboard.studies.trial_view import TrialView, column_value

PAGE = 100  # trials on one page of the table


class TrialPage(NamedTuple):
    """One page of the table of trials."""

    trials: Sequence[TrialView]  # on this page
    number: int  # of this page, from 1
    pages: int
    found: int  # trials on all pages


def page_of(snapshot: Snapshot, query: Query) -> TrialPage:
    """Return the page of a query, or the last page where there are fewer pages."""
    found = all_of(snapshot, query)
    pages = max(1, -(-len(found) // PAGE))
    number = min(query.page, pages)
    return TrialPage(found[(number - 1) * PAGE : number * PAGE], number, pages, len(found))


def all_of(snapshot: Snapshot, query: Query) -> list[TrialView]:
    """Return the trials of all pages of a query: those without a value come last, those of equal value by number.

    Trials of a snapshot are in the order of their numbers, and sorting keeps the order of equals.
    """
    keeps = kept_by(snapshot, query)
    trials = [one for one in (snapshot.starred if query.starred else snapshot.trials) if keeps(one)]
    column, falls = query.sort.removeprefix("-"), query.sort.startswith("-")
    found = [(one, sort_key(value_of(snapshot, one, column))) for one in trials]
    known = [pair for pair in found if pair[1] is not None]
    known.sort(key=lambda pair: pair[1], reverse=falls)
    return [one for one, _ in known] + [one for one, value in found if value is None]


def kept_by(snapshot: Snapshot, query: Query) -> Callable[[TrialView], bool]:
    """Return the test whether a trial satisfies the filters; one without a value is in no range of this value."""
    satisfies = expression.parse(query.where) if query.where else None

    def keeps(one: TrialView) -> bool:
        if query.outcome and one.outcome != query.outcome:
            return False
        if query.op and query.op not in one.ops:
            return False
        if not all(_is_inside(one, name, end) for name, end in query.ends.items()):
            return False
        if satisfies is not None and not satisfies(snapshot, one):
            return False
        return not query.text or has_text(snapshot, one, query.text)

    return keeps


def _is_inside(one: TrialView, name: str, end: float) -> bool:
    column, side = ENDS[name]
    value = column_value(one, column)
    return value is not None and (value >= end if side == "from" else value <= end)
