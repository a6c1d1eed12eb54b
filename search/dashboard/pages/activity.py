"""The page of what a search does now: its trainings, its sampler, its workers over time, its budget, its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from search.dashboard.actions.resume import log_lines
from search.dashboard.pages.seed_trainings import training_folder
from search.dashboard.pages.study import row
from search.dashboard.pages.trial import trial_of
from search.dashboard.running.acting import acting
from search.dashboard.running.events import events
from search.dashboard.running.heartbeat import heartbeat
from search.dashboard.running.lanes import MOMENTS, Lanes, lanes
from search.dashboard.running.spending import Pace, pace, spending
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import LONGEST, QueryError
from search.dashboard.web import links
from search.storage.ledger import FINALE, Entry
from search.storage.trial_files import read_report

KEPT = 4000  # cached reports, of which only the times are kept


class Asked(NamedTuple):
    """The parameters of the address."""

    is_whole: bool = False  # whether the lanes show all runs of the study
    trial: int | None = None  # the only trial of which the log tells

    @classmethod
    def parse(cls, given: Iterable[tuple[str, str]]) -> Asked:
        """Read the parameters; an empty one counts as absent. Raises QueryError."""
        asked, seen = cls(), set[str]()
        for name, text in given:
            if name in seen:
                raise QueryError(f"{name[:LONGEST]!r} is given twice; give it once")
            seen.add(name)
            match name, text:
                case (("runs" | "trial"), ""):
                    continue
                case "runs", "all":
                    asked = asked._replace(is_whole=True)
                case "trial", _ if text.isascii() and text.isdigit() and len(text) < 10:
                    asked = asked._replace(trial=int(text))
                case "runs", _:
                    raise QueryError(f"runs is {text[:LONGEST]!r}; it may be all")
                case "trial", _:
                    raise QueryError(f"trial is {text[:LONGEST]!r}; it may be the number of a trial")
                case _:
                    raise QueryError(
                        f"{name[:LONGEST]!r} is no parameter of this page; the parameters are runs, trial"
                    )
        return asked


def activity_page(snapshot: Snapshot, entries: Sequence[Entry], asked: Asked) -> dict[str, Any]:
    """Return the values of the page. entries: the rows of the study's ledger. Raises NotFound for an unknown trial."""
    if asked.trial is not None:
        trial_of(snapshot, asked.trial)
    running = _running(snapshot, entries)
    found, earlier = events(snapshot, entries, asked.trial)
    return {
        "name": snapshot.name,
        "href": links.study(snapshot.name),
        "is_running": snapshot.is_running,
        "state": snapshot.state.word,
        "why": snapshot.state.why,
        "goal": snapshot.goal.name,
        "heartbeat": heartbeat(snapshot)._asdict(),
        "running": running,
        "is_finale": any(one["phase"] == FINALE for one in running),
        "sampler": snapshot.once(acting)._asdict(),
        "budget": {**snapshot.statement.to_json(), "by": None},
        "pace": _pace(snapshot, entries),
        "spending": snapshot.once(spending),
        "lanes": _lanes(snapshot, entries, asked.is_whole),
        "is_whole": asked.is_whole,
        "trial": asked.trial,
        "events": found,
        "earlier_events": earlier,
        "output": log_lines(snapshot.folder) if snapshot.folder and asked.trial is None else [],
    }


def _running(snapshot: Snapshot, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The trainings whose rows are open, while the search runs."""
    if not snapshot.is_running:
        return []
    return [_training(snapshot, one) for one in entries if one.is_open]


def _training(snapshot: Snapshot, one: Entry) -> dict[str, Any]:
    trial = snapshot.by_number.get(one.trial)
    shown = row(snapshot, trial) if trial else {}
    return {
        "number": one.trial,
        "href": links.trial(snapshot.name, one.trial),
        "seed": one.seed,
        "phase": one.phase,
        "worker": one.worker,
        "device": one.device,
        "seconds": one.seconds,
        "reserved": one.reserved,
        "began_seconds": one.begun_at,
        "by": shown.get("by"),
        "so_far": None if one.phase == FINALE else shown.get("so_far"),
        "planned_epochs": snapshot.config.recipe.epochs,
    }


def _pace(snapshot: Snapshot, entries: Sequence[Entry]) -> Pace | None:
    if not snapshot.is_running:
        return None
    total = snapshot.statement.total_seconds
    left = None if total is None else max(total - snapshot.statement.spent_seconds, 0.0)
    return pace(entries, left)


def _lanes(snapshot: Snapshot, entries: Sequence[Entry], is_whole: bool) -> Lanes | None:
    def outcome(one: Entry) -> str:
        if one.is_open:
            return "running" if snapshot.is_running else "interrupted"
        trial = snapshot.by_number.get(one.trial)
        if trial is None or one.seed is None:
            return trial.outcome if trial else ""
        finale = trial.record.finale
        result = finale.seeds.get(one.seed) if finale else None
        return result.outcome if result else ""

    def report(one: Entry) -> Mapping[str, Any]:
        trial = snapshot.by_number.get(one.trial)
        if one.is_open or trial is None or snapshot.folder is None:
            return {}
        folder = training_folder(snapshot.folder, one.trial, one.seed)
        return _times(folder, trial.record.digest, one.trial, one.seen_at)

    return lanes(entries, outcome, report, is_whole)


@lru_cache(maxsize=KEPT)
def _times(folder: Path, digest: str | None, number: int, seen_at: float) -> Mapping[str, Any]:
    """What the lanes need of a training's report: its parts, and the moments of its epochs.

    seen_at: when the training ended, since its report is written before that.
    """
    report = read_report(folder, digest, number) or {}
    rows = report.get("curve")
    of_epochs = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, Sequence) else []
    curve = [{name: row.get(name) for name in MOMENTS} for row in of_epochs]
    return {"parts": report.get("parts"), "curve": curve}
