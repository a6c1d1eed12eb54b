"""The report of a trial's training, and the epochs of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.objective import LEARNT, MEASURES
from search.storage.trial_files import read_report

# what is shown of an epoch
CURVE = (
    *("epoch", "complete", "train_loss", "seconds", "images_per_second"),
    *(MEASURES[name].field for name in LEARNT),
)


def report_of(snapshot: Snapshot, trial: TrialView) -> Mapping[str, Any]:
    """Return the report of a trial's training; empty where there is none, or where another machine has it."""
    if snapshot.folder is None:
        return {}
    folder = snapshot.folder / "trials" / str(trial.record.number)
    return read_report(folder, trial.record.digest, trial.record.number) or {}


def epochs_of(snapshot: Snapshot, trial: TrialView) -> list[dict[str, Any]]:
    """Return the epochs of a trial from its report; without a report, the epochs that the storage has."""
    return _reported(report_of(snapshot, trial)) or _stored(snapshot, trial)


def _reported(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The epochs of a report, without malformed rows."""
    rows = report.get("curve")
    if not isinstance(rows, Sequence):
        return []
    return [{name: r.get(name) for name in CURVE} for r in rows if isinstance(r, Mapping)]


def _stored(snapshot: Snapshot, trial: TrialView) -> list[dict[str, Any]]:
    """The epochs that were stored during the training, with one value each."""
    goal, unknown = f"valid_{snapshot.goal.name}", dict.fromkeys(CURVE)
    return [{**unknown, "epoch": epoch, goal: value} for epoch, value in sorted(trial.record.curve.items())]
