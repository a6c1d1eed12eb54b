"""The lineage of a trial: how it and its ancestors came about, as far as the study has stored it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from search.objective import Objective
from search.storage.record import Record

MOST = 200  # trials


def lineage(record: Record, records: Sequence[Record], goal: Objective) -> list[dict[str, Any]]:
    """Return a trial and its nearest ancestors as plain values, generation by generation; at most `MOST`.

    goal: the objective whose values are told.
    """
    known = {one.number: one for one in records} | {record.number: record}
    ahead, seen, found = deque([record.number]), {record.number}, list[dict[str, Any]]()
    while ahead and len(found) < MOST:
        one = known[ahead.popleft()]
        found.append(_told(one, goal))
        older = [number for number in _before(one) if number in known and number not in seen]
        ahead += older
        seen |= set(older)
    return found


def _before(record: Record) -> list[int]:
    """The trials that one came from: parents, the trial that it retries, and the one whose weights it began with."""
    inherited = (record.inherited or {}).get("trial")
    parents = record.origin.parents if record.origin else ()
    return list(dict.fromkeys(n for n in (*parents, record.retry_of, inherited) if isinstance(n, int)))


def _told(record: Record, goal: Objective) -> dict[str, Any]:
    origin, others = record.origin, {"retry_of": record.retry_of, "inherited": record.inherited}
    return {
        "trial": record.number,
        "by": origin.by if origin else None,
        "parents": list(origin.parents) if origin else [],
        "moves": list(origin.moves) if origin else [],
        goal.name: record.metrics.get(goal.name),
        **{key: value for key, value in others.items() if value is not None},
    }
