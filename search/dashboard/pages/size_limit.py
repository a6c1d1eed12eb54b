"""The best network within a limit on its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query
from search.dashboard.web import links
from search.storage.record import Record


def best_within(snapshot: Snapshot, query: Query) -> dict[str, Any] | None:
    """Return the best network within the limit of a query, as values of the page; None where there is no limit.

    `best` is None where every fully trained network is over the limit; `smallest` is the smallest size of them.
    """
    if query.at_most is None:
        return None
    sizes = {r.number: snapshot.by_number[r.number].metric(query.size) for r in snapshot.ranked}
    fits = {number for number, size in sizes.items() if size is not None and size <= query.at_most}
    within = [record for record in snapshot.ranked if record.number in fits]
    return {
        "at_most": query.at_most,
        "size": query.size,
        "found": len(fits),
        "best": _one(snapshot, within[0].number) if within else None,
        "luckier": _luckier(snapshot, within),
        "smallest": min((size for size in sizes.values() if size is not None), default=None),
    }


def _luckier(snapshot: Snapshot, within: Sequence[Record]) -> dict[str, Any] | None:
    """The best network of these with a single score above the mean of the first; None where there is no such."""
    first = snapshot.score(within[0]) if within else None
    if first is None or first.seeds == 1:
        return None
    cost, name = snapshot.goal.cost, snapshot.goal.name
    single = [r for r in within if (score := snapshot.score(r)) and score.seeds == 1 and not score.is_failed]
    best = min(single, key=lambda r: cost(r.metrics[name]), default=None)
    is_above = best is not None and cost(best.metrics[name]) < cost(first.value)
    return _one(snapshot, best.number) if best is not None and is_above else None


def _one(snapshot: Snapshot, number: int) -> dict[str, Any]:
    trial = snapshot.by_number[number]
    score = snapshot.score(trial.record)
    parent = next((of for of in trial.parents if of in snapshot.by_number), None)
    return {
        "number": number,
        "href": links.trial(snapshot.name, number),
        snapshot.goal.name: score.value if score else None,
        "score": score,
        "params": trial.metric("params"),
        "macs": trial.metric("macs"),
        "parent": parent,
        "parent_href": None if parent is None else links.trial(snapshot.name, parent),
        "moves": list(trial.record.origin.moves) if trial.record.origin else [],
    }
