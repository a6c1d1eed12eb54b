"""The best network within a limit on its size."""

from __future__ import annotations

from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query
from search.dashboard.web import links


def best_within(snapshot: Snapshot, query: Query) -> dict[str, Any] | None:
    """Return the best network within the limit of a query, as values of the page; None where there is no limit.

    `best` is None where every fully trained network is over the limit; `smallest` is the smallest size of them.
    """
    if query.at_most is None:
        return None
    sizes = {r.number: snapshot.by_number[r.number].metric(query.size) for r in snapshot.ranked}
    fits = [number for number, size in sizes.items() if size is not None and size <= query.at_most]
    return {
        "at_most": query.at_most,
        "size": query.size,
        "found": len(fits),
        "best": _one(snapshot, fits[0]) if fits else None,
        "smallest": min((size for size in sizes.values() if size is not None), default=None),
    }


def _one(snapshot: Snapshot, number: int) -> dict[str, Any]:
    trial = snapshot.by_number[number]
    parent = next((of for of in trial.parents if of in snapshot.by_number), None)
    return {
        "number": number,
        "href": links.trial(snapshot.name, number),
        snapshot.goal.name: trial.metric(snapshot.goal.name),
        "params": trial.metric("params"),
        "macs": trial.metric("macs"),
        "seconds": trial.record.seconds,
        "parent": parent,
        "parent_href": None if parent is None else links.trial(snapshot.name, parent),
        "moves": list(trial.record.origin.moves) if trial.record.origin else [],
    }
