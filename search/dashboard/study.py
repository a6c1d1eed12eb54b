"""What the page of one study shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from search.record import Record
from search.sieve import summary
from search.views import over_seeds

from . import link
from .failures import failures
from .query import METRICS, Page, Query, column_value
from .seen import Seen
from .snapshot import Snapshot
from .studies import head

MOST_BEST = 20  # trials of the front that are listed


def study(shown: Snapshot, query: Query) -> dict[str, Any]:
    """Return the page's values: the whole study, and one page of its trials."""
    file = shown.file
    page = query.of(shown.starred if query.starred else shown.trials)
    return {
        **head(shown),
        "is_running": shown.is_running,
        "data": file.data.name,
        "sampler": file.sampler,
        "pruner": file.pruner,
        "epochs": file.recipe.epochs,
        "limits": dict(file.limits),
        "objectives": dict(file.objectives),
        "finale_seconds": sum(r.finale.seconds for r in shown.records if r.finale),
        "front": {"count": len(shown.best), "rows": _front(shown)},
        "proxies": summary(shown.records, file.objectives),
        "scatter": {"x": shown.cost.name, "y": shown.goal.name, "points": shown.points},
        "best_so_far": shown.steps,
        "failures": failures(shown.trials),
        "ops": shown.ops,
        "table": _table(shown, query, page),
    }


def metrics_of(objectives: Iterable[str]) -> list[str]:
    """Return the numbers that the tables show: the objectives first, then what else is usual."""
    names = list(objectives)
    usual = ("accuracy", "loss", "params", "macs")
    return [*names, *(name for name in usual if name not in names)]


def _table(shown: Snapshot, query: Query, page: Page) -> dict[str, Any]:
    return {
        "sort": query.sort,
        "outcome": query.outcome,
        "op": query.op,
        "starred": query.starred,
        "ends": query.ends,
        "page": page.number,
        "pages": page.pages,
        "found": page.found,
        "rows": [row(shown, one) for one in page.trials],
    }


def row(shown: Snapshot, one: Seen) -> dict[str, Any]:
    """Return a trial as a row of a table."""
    made = one.record
    return {
        "number": made.number,
        "href": link.trial(shown.name, made.number),
        "outcome": one.outcome,
        **{name: column_value(one, name) for name in METRICS},
        "epochs": made.epochs,
        "seconds": made.seconds,
        "by": made.origin.by if made.origin else None,
        "reason": made.reason,
        "starred": made.number in shown.hands.stars,
        "note": shown.hands.notes.get(made.number),
    }


def _front(shown: Snapshot) -> Sequence[dict[str, Any]]:
    return [_best(shown, record) for record in shown.best[:MOST_BEST]]


def _best(shown: Snapshot, record: Record) -> dict[str, Any]:
    seeds = over_seeds(record, shown.goal.name) if record.finale else None
    return {**row(shown, shown.by_number[record.number]), "over_seeds": seeds}
