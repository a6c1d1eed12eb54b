"""What the page of one study shows, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from search.dashboard import link, plots
from search.dashboard.failures import failures
from search.dashboard.limit import best_within
from search.dashboard.plot import Plot
from search.dashboard.query import COSTS, METRICS, Page, Query, column_value
from search.dashboard.seen import Seen
from search.dashboard.snapshot import Snapshot
from search.dashboard.studies import head
from search.storage.record import Record, spread_over_seeds

MOST_BEST = 20  # trials of a front that are listed


def study(shown: Snapshot, query: Query) -> dict[str, Any]:
    """Return the page's values: the whole study, and one page of its trials."""
    return {name: value for make in PARTS.values() for name, value in make(shown, query).items()}


def part(shown: Snapshot, name: str, query: Query) -> dict[str, Any]:
    """Return the values of one part of the page. Raises KeyError where there is none of that name."""
    return {**_common(shown, query), **PARTS[name](shown, query)}


def metrics_of(objectives: Iterable[str]) -> list[str]:
    """Return the numbers that the tables show: the objectives first, then what else is usual."""
    names = list(objectives)
    usual = ("accuracy", "loss", "params", "macs")
    return [*names, *(name for name in usual if name not in names)]


def against(shown: Snapshot, query: Query) -> Plot | None:
    """Return the plot of what was learnt against the cost that is asked for."""
    return plots.front(shown, _cost(shown, query))


def _common(shown: Snapshot, query: Query) -> dict[str, Any]:
    return {
        "name": shown.name,
        "href": link.study(shown.name),
        "goal": shown.goal.name,
        "is_running": shown.is_running,
        "objectives": dict(shown.file.objectives),
        "mark": shown.mark,
    }


def _summary(shown: Snapshot, query: Query) -> dict[str, Any]:
    file = shown.file
    return {
        **_common(shown, query),
        **head(shown),
        "data": file.data.name,
        "sampler": file.sampler,
        "pruner": file.pruner,
        "epochs": file.recipe.epochs,
        "limits": dict(file.limits),
        "finale_seconds": _finale_seconds(shown),
    }


def _act(shown: Snapshot, query: Query) -> dict[str, Any]:
    """What can be done to it depends on whether it runs; the rest of it is not of a study alone."""
    return {"state": shown.state.word}


def _best(shown: Snapshot, query: Query) -> dict[str, Any]:
    return {
        "front": {"count": len(shown.best), "rows": _front(shown)},
        "finale_seconds": _finale_seconds(shown),
        "within": best_within(shown, query),
    }


def _against(shown: Snapshot, query: Query) -> dict[str, Any]:
    """The front of the chart as a table; the chart has its own address."""
    cost = _cost(shown, query)
    first = sorted((p for p in shown.against(cost) if p.is_front), key=lambda p: (p.x, p.y))
    return {
        "against": {
            "cost": cost,
            "costs": [*dict.fromkeys((shown.cost.name, *COSTS))],
            "count": len(first),
            "rows": [row(shown, shown.by_number[p.number]) for p in first[-MOST_BEST:]],
        }
    }


def _failed(shown: Snapshot, query: Query) -> dict[str, Any]:
    return {"failures": failures(shown.trials)}


def _table(shown: Snapshot, query: Query) -> dict[str, Any]:
    page: Page = query.of(shown.starred if query.starred else shown.trials)
    table = {
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
    return {"trials": len(shown.trials), "ops": shown.ops, "table": table}


PARTS: Mapping[str, Callable[[Snapshot, Query], dict[str, Any]]] = {
    "summary": _summary,
    "act": _act,
    "best": _best,
    "against": _against,
    "failures": _failed,
    "table": _table,
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


def _cost(shown: Snapshot, query: Query) -> str:
    return query.cost or shown.cost.name


def _finale_seconds(shown: Snapshot) -> float:
    return sum(r.finale.seconds for r in shown.records if r.finale)


def _front(shown: Snapshot) -> Sequence[dict[str, Any]]:
    return [_listed(shown, record) for record in shown.best[:MOST_BEST]]


def _listed(shown: Snapshot, record: Record) -> dict[str, Any]:
    seeds = spread_over_seeds(record, shown.goal.name) if record.finale else None
    return {**row(shown, shown.by_number[record.number]), "over_seeds": seeds}
