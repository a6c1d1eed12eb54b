"""The page of one study, made of parts that a script can renew one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from search.dashboard.pages.evaluation import evaluation_page
from search.dashboard.pages.failures import failures
from search.dashboard.pages.size_limit import best_within
from search.dashboard.pages.studies import study_summary
from search.dashboard.pages.test_images import test_result
from search.dashboard.plots import study_plots
from search.dashboard.plots.plot import Plot
from search.dashboard.running.heartbeat import heartbeat
from search.dashboard.studies.columns import METRICS, SORTS, value_of
from search.dashboard.studies.selection import page_of
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import COSTS, MOST_PICKED, Query
from search.dashboard.studies.trial_view import TrialView, column_value
from search.dashboard.web import links
from search.results.reference_text import choice_text, reference_lines
from search.storage.record import Record, spread_over_seeds

MOST_BEST = 20  # trials of a front that are listed
FIRST_BEST = 5  # of these, the trials that are shown at once


def study_page(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    """Return the values of the page: all its parts, with one page of the table of trials."""
    return {name: value for make in PARTS.values() for name, value in make(snapshot, query).items()}


def study_part(snapshot: Snapshot, name: str, query: Query) -> dict[str, Any]:
    """Return the values of one part of the page. Raises KeyError for an unknown part."""
    return {**_common(snapshot, query), **PARTS[name](snapshot, query)}


def metrics_of(objectives: Iterable[str], has_latency: bool = False) -> list[str]:
    """Return the metrics that the tables show: the objectives first, a latency that is limited, the usual ones."""
    names = list(objectives)
    names += ["latency"] if has_latency and "latency" not in names else []
    usual = ("accuracy", "loss", "params", "macs")
    return [*names, *(name for name in usual if name not in names)]


def front_plot(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the plot of the learnt objective against the cost of the query."""
    return study_plots.front(snapshot, _cost(snapshot, query), query.y, query.pick)


def _common(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "href": links.study(snapshot.name),
        "goal": snapshot.goal.name,
        "is_running": snapshot.is_running,
        "objectives": dict(snapshot.config.objectives),
        "has_latency": snapshot.config.measures_latency,
        "mark": snapshot.mark,
    }


def _summary(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    config = snapshot.config
    return {
        **_common(snapshot, query),
        **study_summary(snapshot),
        "heartbeat": heartbeat(snapshot)._asdict(),
        "data": config.data.name,
        "sampler": config.sampler,
        "pruner": config.pruner,
        "epochs": config.recipe.epochs,
        "limits": config.limits_in_full(),
        "finale_seconds": _finale_seconds(snapshot),
        "test": test_result(snapshot),
        "highest": _highest(snapshot),
        "budget": snapshot.statement.to_json(),
    }


def _highest(snapshot: Snapshot) -> dict[str, Any] | None:
    """The best single score of the search where the best network has a mean over seeds; it is partly luck."""
    score = snapshot.score(snapshot.best[0]) if snapshot.best else None
    if score is None or score.seeds == 1 or not snapshot.improvements:
        return None
    found = snapshot.improvements[-1]
    return {"number": found.number, "href": links.trial(snapshot.name, found.number), "value": found.value}


def _act(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    """The state of the study, which decides whether it can be stopped or resumed."""
    return {"state": snapshot.state.word}


def _best(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    return {
        "front": {"count": len(snapshot.best), "rows": _front(snapshot), "first": FIRST_BEST},
        "choice": choice_text(snapshot.records, snapshot.config.objectives),
        "references": reference_lines(snapshot.records, snapshot.best, snapshot.config.objectives),
        "finale_seconds": _finale_seconds(snapshot),
        "within": best_within(snapshot, query),
    }


def _work(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    """The evaluation of the best network."""
    if not snapshot.best:
        return {"work": None}
    number = snapshot.best[0].number
    evaluation = evaluation_page(snapshot, snapshot.by_number[number])
    return {"work": {"number": number, "href": links.trial(snapshot.name, number), "evaluation": evaluation}}


def _against(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    """The Pareto front as a table; the plot of it has its own address."""
    cost = _cost(snapshot, query)
    first = sorted((p for p in snapshot.against(cost) if p.is_front), key=lambda p: (p.x, p.y))
    return {
        "against": {
            "cost": cost,
            "costs": [*dict.fromkeys((snapshot.cost.name, *COSTS))],
            "count": len(first),
            "rows": [row(snapshot, snapshot.by_number[p.number]) for p in first[-MOST_BEST:]],
        }
    }


def _failed(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    return {"failures": failures(snapshot.trials)}


def _table(snapshot: Snapshot, query: Query) -> dict[str, Any]:
    page = page_of(snapshot, query)
    here = {trial.record.number for trial in page.trials}
    picked = [number for number in query.pick if number in snapshot.by_number]
    columns = list(query.columns) or _usual_columns(snapshot)
    table = {
        "columns": columns,
        "where": query.where,
        "text": query.text,
        "picked": picked,
        "picked_elsewhere": [number for number in picked if number not in here],
        "sort": query.sort,
        "outcome": query.outcome,
        "op": query.op,
        "starred": query.starred,
        "ends": query.ends,
        "page": page.number,
        "pages": page.pages,
        "found": page.found,
        "rows": [_table_row(snapshot, trial, columns) for trial in page.trials],
    }
    return {
        "trials": len(snapshot.trials),
        "ops": snapshot.ops,
        "table": table,
        "columns": list(SORTS),
        "tags": snapshot.attrs.known_tags,
        "most_picked": MOST_PICKED,
    }


def _table_row(snapshot: Snapshot, trial: TrialView, columns: Sequence[str]) -> dict[str, Any]:
    """A trial as a row of the large table: with the values of the columns that are shown."""
    return {
        **row(snapshot, trial),
        "tags": snapshot.attrs.tags.get(trial.record.number, ()),
        "cells": {name: value_of(snapshot, trial, name) for name in columns},
    }


def _usual_columns(snapshot: Snapshot) -> list[str]:
    """The columns of a table that nobody has chosen: those that say something in this study."""
    config = snapshot.config
    return [
        *("number", "outcome"),
        *metrics_of(dict(config.objectives), config.measures_latency),
        *(["mean"] if any(r.finale for r in snapshot.records) else []),
        *("epochs", "seconds"),
        *(["recipe"] if any(r.searched for r in snapshot.records) else []),
        *(["tags"] if snapshot.attrs.tags else []),
        *("by", "reason"),
    ]


PARTS: Mapping[str, Callable[[Snapshot, Query], dict[str, Any]]] = {
    "summary": _summary,
    "controls": _act,
    "best": _best,
    "work": _work,
    "against": _against,
    "failures": _failed,
    "table": _table,
}


def row(snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
    """Return a trial as a row of a table."""
    made = trial.record
    return {
        "number": made.number,
        "href": links.trial(snapshot.name, made.number),
        "outcome": trial.outcome,
        **{name: column_value(trial, name) for name in METRICS},
        "score": snapshot.score(made),
        "so_far": _so_far(snapshot, trial),
        "epochs": made.epochs,
        "seconds": made.search_seconds,
        "finale_seconds": made.finale.seconds if made.finale else 0.0,
        "by": made.origin.by if made.origin else None,
        "reason": made.reason,
        "starred": made.number in snapshot.attrs.stars,
        "note": snapshot.attrs.notes.get(made.number),
        **({"recipe": dict(made.searched)} if made.searched else {}),
    }


def _so_far(snapshot: Snapshot, trial: TrialView) -> dict[str, Any] | None:
    """The last value that a trial without a result has reached in its training, None where none is stored yet."""
    stored = snapshot.learnt_so_far(trial.record)
    if trial.record.metrics or not stored:
        return None
    epoch = max(stored)
    return {"epoch": epoch, "value": stored[epoch]}


def _cost(snapshot: Snapshot, query: Query) -> str:
    return query.cost or snapshot.cost.name


def _finale_seconds(snapshot: Snapshot) -> float:
    return sum(r.finale.seconds for r in snapshot.records if r.finale)


def _front(snapshot: Snapshot) -> Sequence[dict[str, Any]]:
    return [_listed(snapshot, record) for record in snapshot.best[:MOST_BEST]]


def _listed(snapshot: Snapshot, record: Record) -> dict[str, Any]:
    seeds = spread_over_seeds(record, snapshot.goal.name) if record.finale else None
    return {**row(snapshot, snapshot.by_number[record.number]), "over_seeds": seeds}
