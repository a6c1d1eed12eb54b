"""The page of all studies."""

from __future__ import annotations

import time
from typing import Any

from search.dashboard.studies.errors import NotFound, StillReading
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.web import links
from search.errors import StudyError


def studies_page(library: Library, patience: float | None = None) -> dict[str, Any]:
    """Return the values of the page; a study that is not read within `patience` seconds is marked as being read.

    Raises StudyError where the storage itself cannot be read.
    """
    names, limit = library.names(), None if patience is None else time.monotonic() + patience
    rows = [_row(library, name, limit) for name in names]
    return {
        "studies": rows,
        "is_running": any(row.get("state") == "running" for row in rows),
        "is_being_read": any("is_being_read" in row for row in rows),
    }


def study_summary(snapshot: Snapshot) -> dict[str, Any]:
    """Return the summary of a study, which the page of all studies and the study's own page show."""
    return {
        "name": snapshot.name,
        "href": links.study(snapshot.name),
        "state": snapshot.state.word,
        "why": snapshot.state.why,
        "trials": len(snapshot.trials),
        "outcomes": snapshot.outcomes,
        "spent_seconds": snapshot.spent_seconds,
        "budget_seconds": snapshot.config.budget.device_time,
        "planned_trials": snapshot.config.trials,
        "goal": snapshot.goal.name,
        "best": _best(snapshot),
        "began_at": snapshot.began_at,
        "seen_at": snapshot.seen_at,
    }


def _best(snapshot: Snapshot) -> dict[str, Any] | None:
    if not snapshot.best:
        return None
    first = snapshot.best[0]
    score = snapshot.score(first)
    return {
        "number": first.number,
        "href": links.trial(snapshot.name, first.number),
        snapshot.goal.name: score.value if score else None,
        "score": score,
    }


def _row(library: Library, name: str, limit: float | None) -> dict[str, Any]:
    patience = None if limit is None else max(0.0, limit - time.monotonic())
    try:
        return library.summary(name, study_summary, patience)
    except StillReading:
        return {"name": name, "href": links.study(name), "is_being_read": True}
    except (StudyError, NotFound) as error:
        return {"name": name, "href": links.study(name), "trouble": str(error)}
