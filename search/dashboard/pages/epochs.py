"""The report of a trial's training, and the epochs of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.dashboard.running.lanes import MOMENTS
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.objective import LEARNT, MEASURES
from search.storage.trial_files import read_report

# what is shown of an epoch
CURVE = (
    *("epoch", "complete", "train_loss", "seconds", "images_per_second", "learning_rate"),
    *MOMENTS,
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
    return epochs_in(report_of(snapshot, trial)) or _stored(snapshot, trial)


def epochs_in(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the epochs of a report, without malformed rows."""
    rows = report.get("curve")
    if not isinstance(rows, Sequence):
        return []
    return [{name: r.get(name) for name in CURVE} for r in rows if isinstance(r, Mapping)]


def _stored(snapshot: Snapshot, trial: TrialView) -> list[dict[str, Any]]:
    """The epochs that were stored during the training: what the objective reached, and the losses where they are."""
    goal, unknown = f"valid_{snapshot.goal.name}", dict.fromkeys(CURVE)
    known = snapshot.learnt_so_far(trial.record)
    return [
        {**unknown, **_losses(trial, epoch), "epoch": epoch, goal: value}
        for epoch, value in sorted(known.items())
    ]


def _losses(trial: TrialView, epoch: int) -> dict[str, Any]:
    found = trial.record.losses.get(epoch, (None, None))
    return dict(zip(("train_loss", "valid_loss"), found, strict=False))
