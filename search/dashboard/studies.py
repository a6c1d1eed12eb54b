"""What the page of all studies shows."""

from __future__ import annotations

import time
from typing import Any

from search.dashboard import link
from search.dashboard.library import BeingRead, Library, Missing
from search.dashboard.snapshot import Snapshot
from search.errors import StudyError


def studies(library: Library, patience: float | None = None) -> dict[str, Any]:
    """Return the page's values; a study that takes longer than `patience` seconds to be read says so.

    Raises StudyError where the storage itself cannot be read.
    """
    names, limit = library.names(), None if patience is None else time.monotonic() + patience
    rows = [_row(library, name, limit) for name in names]
    return {
        "studies": rows,
        "is_running": any(row.get("state") == "running" for row in rows),
        "is_being_read": any("is_being_read" in row for row in rows),
    }


def head(shown: Snapshot) -> dict[str, Any]:
    """Return what is said of a study wherever it is named."""
    return {
        "name": shown.name,
        "href": link.study(shown.name),
        "state": shown.state.word,
        "why": shown.state.why,
        "trials": len(shown.trials),
        "outcomes": shown.outcomes,
        "spent_seconds": shown.spent_seconds,
        "budget_seconds": shown.file.budget.device_time,
        "planned_trials": shown.file.trials,
        "goal": shown.goal.name,
        "best": _best(shown),
        "began_at": shown.began_at,
        "seen_at": shown.seen_at,
    }


def _best(shown: Snapshot) -> dict[str, Any] | None:
    if not shown.best:
        return None
    number, goal = shown.best[0].number, shown.goal.name
    return {"number": number, "href": link.trial(shown.name, number), goal: shown.best[0].metrics.get(goal)}


def _row(library: Library, name: str, limit: float | None) -> dict[str, Any]:
    patience = None if limit is None else max(0.0, limit - time.monotonic())
    try:
        return library.brief(name, head, patience)
    except BeingRead:
        return {"name": name, "href": link.study(name), "is_being_read": True}
    except (StudyError, Missing) as error:
        return {"name": name, "href": link.study(name), "trouble": str(error)}
