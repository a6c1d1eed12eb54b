"""The best network that is small enough."""

from __future__ import annotations

from typing import Any

from search.dashboard import link
from search.dashboard.query import Query
from search.dashboard.snapshot import Snapshot


def best_within(shown: Snapshot, query: Query) -> dict[str, Any] | None:
    """Return the best network that has at most so many params or macs; None where nothing was asked.

    `best` is None where no network that was trained to its end is so small; `smallest` says how small they are.
    """
    if query.at_most is None:
        return None
    sizes = {r.number: shown.by_number[r.number].metric(query.size) for r in shown.ranked}
    fits = [number for number, size in sizes.items() if size is not None and size <= query.at_most]
    return {
        "at_most": query.at_most,
        "size": query.size,
        "found": len(fits),
        "best": _one(shown, fits[0]) if fits else None,
        "smallest": min((size for size in sizes.values() if size is not None), default=None),
    }


def _one(shown: Snapshot, number: int) -> dict[str, Any]:
    one = shown.by_number[number]
    parent = next((of for of in one.parents if of in shown.by_number), None)
    return {
        "number": number,
        "href": link.trial(shown.name, number),
        shown.goal.name: one.metric(shown.goal.name),
        "params": one.metric("params"),
        "macs": one.metric("macs"),
        "seconds": one.record.seconds,
        "parent": parent,
        "parent_href": None if parent is None else link.trial(shown.name, parent),
        "moves": list(one.record.origin.moves) if one.record.origin else [],
    }
