"""The trainings of a network that the finale retrained, one for each seed, with the report that this machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.dashboard.pages.epochs import epochs_in
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.objective import LEARNT
from search.storage.record import Record
from search.storage.seed_results import SeedResult
from search.storage.trial_files import read_report

SEEDS = "seeds"  # folder of the finale's trainings, in the folder of the trial


def seed_trainings(snapshot: Snapshot, trial: TrialView) -> list[dict[str, Any]]:
    """Return a row for each training of a retrained network; the seed of the search's own training is None."""
    finale = trial.record.finale
    if finale is None:
        return []
    search = [_row(snapshot, trial, None, finale.search)] if finale.search else []
    return search + [_row(snapshot, trial, seed, one) for seed, one in finale.seeds.items()]


def _row(snapshot: Snapshot, trial: TrialView, seed: int | None, one: SeedResult) -> dict[str, Any]:
    record = trial.record
    report = _report(snapshot, record, seed)
    return {
        "seed": seed,
        "outcome": trial.alive(one.outcome),
        **{name: getattr(one, name) for name in LEARNT},
        "epochs": one.epochs,
        "best_epoch": report.get("best_epoch"),
        "seconds": record.search_seconds if seed is None else one.seconds,
        "reason": one.reason,
        "curve": epochs_in(report),
    }


def _report(snapshot: Snapshot, record: Record, seed: int | None) -> dict[str, Any]:
    if snapshot.folder is None:
        return {}
    at = training_folder(snapshot.folder, record.number, seed)
    return read_report(at, record.digest, record.number) or {}


def training_folder(folder: Path, number: int, seed: int | None) -> Path:
    """Return the folder of a training of the search, or of one seed of the finale, in the folder of a study."""
    of_trial = folder / "trials" / str(number)
    return of_trial if seed is None else of_trial / SEEDS / str(seed)
