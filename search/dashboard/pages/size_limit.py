"""The best network that is small enough."""

from __future__ import annotations

from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query
from search.dashboard.web import links


def best_within(snapshot: Snapshot, query: Query) -> dict[str, Any] | None:
    """Return the best network that has at most so many params or macs; None where nothing was asked.

    `best` is None where no network that was trained to its end is so small; `smallest` says how small they are.
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
    one = snapshot.by_number[number]
    parent = next((of for of in one.parents if of in snapshot.by_number), None)
    return {
        "number": number,
        "href": links.trial(snapshot.name, number),
        snapshot.goal.name: one.metric(snapshot.goal.name),
        "params": one.metric("params"),
        "macs": one.metric("macs"),
        "seconds": one.record.seconds,
        "parent": parent,
        "parent_href": None if parent is None else links.trial(snapshot.name, parent),
        "moves": list(one.record.origin.moves) if one.record.origin else [],
    }
