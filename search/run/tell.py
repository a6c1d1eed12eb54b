"""Ends trials in Optuna's storage with a state, values, constraints and the reason as a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from search.config.candidate import Candidate
from search.objective import LEARNT, MEASURES, Objective, measured_values
from search.proposals.history import OWN_FAULTS
from search.samplers import registry
from search.storage.record import RESULT, Record
from search.storage.trial import LiveTrial
from search.storage.trial_report import LIMIT, TrialReport
from trainer import Report


def refuse(trial: LiveTrial, kind: str, reason: str) -> Record:
    """End a trial before training as pruned; its constraints make it infeasible, so that samplers avoid its kind."""
    return _end(trial, "PRUNED", {"outcome": "refused", "kind": kind, "reason": reason})


def refuse_measured(
    trial: LiveTrial, candidate: Candidate, trained: TrialReport, limit: float, sampler: str, seconds: float
) -> Record:
    """End a trial whose latency was measured to exceed its limit. seconds: device seconds charged."""
    metrics = _metrics(candidate, trained)
    if registry.entry(sampler).takes_constraints:
        trial.set_constraint("latency", metrics["latency"] / limit - 1.0)
    result = {"outcome": "refused", "kind": LIMIT, "reason": trained.report.reason, "metrics": metrics}
    return _end(trial, "PRUNED", {**result, "seconds": seconds})


def fail(trial: LiveTrial, kind: str, reason: str, sampler: str, seconds: float | None = None) -> Record:
    """End a trial that failed. seconds: device seconds charged; None leaves those stored so far.

    A failure that is the fault of the network is stored as a constraint, for the sampler.
    """
    result = {"outcome": "failed", "kind": kind, "reason": reason, "seconds": seconds}
    if kind not in OWN_FAULTS:
        return _end(trial, "FAIL", result)
    if registry.entry(sampler).takes_constraints:
        trial.set_constraint("trainable", 1.0)
    return _end(trial, "PRUNED", result)


def finish(
    trial: LiveTrial,
    candidate: Candidate,
    trained: TrialReport,
    objectives: Sequence[Objective],
    sampler: str,
    seconds: float,
) -> Record:
    """End a trial that was trained, by its report. seconds: device seconds charged."""
    report = trained.report
    if report.outcome == "failed":
        return fail(trial, report.kind or "error", report.reason, sampler, seconds)
    metrics = _metrics(candidate, trained)
    values = [metrics.get(objective.name) for objective in objectives]
    result = {
        "outcome": report.outcome,
        "kind": report.kind,
        "reason": report.reason if report.outcome != "done" else None,
        "epochs": report.epochs,
        "planned_epochs": report.recipe["epochs"],
        "metrics": metrics,
        "inherited": trained.inherited,
        "seconds": seconds,
        "folds": _folds(report) or None,
        "files": dict(trained.files) or None,
    }
    if report.outcome == "pruned":
        return _end(trial, "PRUNED", result)
    if not all(value is not None and math.isfinite(value) for value in values):
        return fail(trial, report.kind or "error", f"{report.reason}; nothing was measured", sampler, seconds)
    return _end(trial, "COMPLETE", result, values)


def pause(trial: LiveTrial, candidate: Candidate, trained: TrialReport, seconds: float) -> Record:
    """Store the result so far of a trial that pauses at a rung. seconds: device seconds charged."""
    report = trained.report
    result = {
        "outcome": "paused",
        "reason": f"paused at the rung of epoch {report.epochs}",
        "epochs": report.epochs,
        "planned_epochs": report.recipe["epochs"],
        "metrics": _metrics(candidate, trained),
        "seconds": seconds,
    }
    trial.set_attr(RESULT, result)
    return trial.read()


def resume(trial: LiveTrial) -> None:
    """Store that a paused trial is resumed."""
    trial.set_attr(RESULT, {"outcome": "running"})


def drop(trial: LiveTrial, paused_record: Record) -> Record:
    """End a paused trial with the result that it had when it paused."""
    result = {
        "outcome": "pruned",
        "reason": f"{paused_record.reason} and not resumed",
        "epochs": paused_record.epochs,
        "planned_epochs": paused_record.planned_epochs,
        "metrics": dict(paused_record.metrics),
        "seconds": paused_record.search_seconds,
    }
    return _end(trial, "PRUNED", result)


def reuse(trial: LiveTrial, twin: Record, sampler: str) -> Record:
    """End a trial with the result of an earlier trial of the same network."""
    result = {
        "outcome": "pruned" if twin.outcome == "paused" else twin.outcome,
        "kind": twin.kind,
        "reason": twin.reason,
        "epochs": twin.epochs,
        "planned_epochs": twin.planned_epochs,
        "metrics": dict(twin.metrics),
        "folds": {name: list(each) for name, each in twin.folds.items()} or None,
        "reused": twin.number,
    }
    if twin.values is not None:
        return _end(trial, "COMPLETE", result, list(twin.values))
    if twin.outcome == "failed" and registry.entry(sampler).takes_constraints:
        trial.set_constraint("trainable", 1.0)
    return _end(trial, "PRUNED", result)


def _folds(report: Report) -> dict[str, list[float]]:
    """Return the score of each fold, by objective; empty without folds."""
    found: dict[str, list[float]] = {}
    for name in LEARNT if report.folds else ():
        scores = [score for one in report.folds if (score := one[MEASURES[name].field]) is not None]
        if len(scores) == len(report.folds):
            found[name] = scores
    return found


def _metrics(candidate: Candidate, trained: TrialReport) -> dict[str, float]:
    costs = {name: one.cost for name, one in trained.stopped.items()}
    return {**candidate.planned(), **measured_values(trained.report, trained), **costs}


def _end(
    trial: LiveTrial,
    state: str,
    result: dict[str, Any],
    values: Sequence[float | None] | None = None,
) -> Record:
    known = {key: value for key, value in result.items() if value is not None}
    return trial.end(state, values, {RESULT: known})
