"""How a trial ends in Optuna's storage: state, values, constraints, and the reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from search.config.candidate import Candidate
from search.objective import Objective
from search.storage.live_trial import Handle
from search.storage.record import RESULT, Record

# Failures that say something of the network, and so something to the sampler.
TELLING = frozenset({"not-finite", "out-of-memory", "batch-too-small"})


def refuse(trial: Handle, kind: str, reason: str) -> Record:
    """End a trial before training: pruned and, by its constraints, infeasible, so that samplers keep away."""
    return _end(trial, "PRUNED", {"outcome": "refused", "kind": kind, "reason": reason})


def fail(trial: Handle, kind: str, reason: str, sampler: str, seconds: float | None = None) -> Record:
    """End a trial that broke, for these device seconds or what it was charged so far.

    Where the network is to blame, samplers are told so.
    """
    result = {"outcome": "failed", "kind": kind, "reason": reason, "seconds": seconds}
    if kind not in TELLING:
        return _end(trial, "FAIL", result)
    if sampler != "cmaes":
        trial.constrain("trainable", 1.0)
    return _end(trial, "PRUNED", result)


def finish(
    trial: Handle,
    network: Candidate,
    report: Mapping[str, Any],
    objectives: Sequence[Objective],
    sampler: str,
    seconds: float,
) -> Record:
    """End a trial that was trained, as its report says, for so many device seconds."""
    if report["outcome"] == "failed":
        return fail(trial, report["kind"] or "error", report["reason"], sampler, seconds)
    metrics = _metrics(network, report)
    values = [metrics.get(objective.name) for objective in objectives]
    result = {
        "outcome": report["outcome"],
        "kind": report["kind"],
        "reason": report["reason"] if report["outcome"] != "done" else None,
        "epochs": report["epochs"],
        "planned_epochs": report["recipe"]["epochs"],
        "metrics": metrics,
        "inherited": report.get("inherited"),
        "seconds": seconds,
    }
    if report["outcome"] == "pruned":
        return _end(trial, "PRUNED", result)
    if not all(value is not None and math.isfinite(value) for value in values):
        reason = f"{report['reason']}; nothing was measured"
        return fail(trial, report["kind"] or "error", reason, sampler, seconds)
    return _end(trial, "COMPLETE", result, values)


def pause(trial: Handle, network: Candidate, report: Mapping[str, Any]) -> Record:
    """Keep what a trial that pauses at a rung has come to."""
    result = {
        "outcome": "paused",
        "reason": f"paused at the rung of epoch {report['epochs']}",
        "epochs": report["epochs"],
        "planned_epochs": report["recipe"]["epochs"],
        "metrics": _metrics(network, report),
    }
    trial.keep(RESULT, result)
    return trial.rest()


def go_on(trial: Handle) -> None:
    """Say that a paused trial is trained again."""
    trial.keep(RESULT, {"outcome": "running"})


def drop(trial: Handle, rested: Record) -> Record:
    """End a paused trial with what it reached before."""
    result = {
        "outcome": "pruned",
        "reason": f"{rested.reason} and not taken up again",
        "epochs": rested.epochs,
        "planned_epochs": rested.planned_epochs,
        "metrics": dict(rested.metrics),
    }
    return _end(trial, "PRUNED", result)


def reuse(trial: Handle, twin: Record, sampler: str) -> Record:
    """End a trial whose network was trained before, with what that trial reached."""
    result = {
        "outcome": "pruned" if twin.outcome == "paused" else twin.outcome,
        "kind": twin.kind,
        "reason": twin.reason,
        "epochs": twin.epochs,
        "planned_epochs": twin.planned_epochs,
        "metrics": dict(twin.metrics),
        "reused": twin.number,
    }
    if twin.values is not None:
        return _end(trial, "COMPLETE", result, list(twin.values))
    if twin.outcome == "failed" and sampler != "cmaes":
        trial.constrain("trainable", 1.0)
    return _end(trial, "PRUNED", result)


def is_reusable(record: Record, epochs: int) -> bool:
    """Whether the trial says all there is to know of its network, trained for so many epochs.

    Not so one that an empty purse or a stray kill ended, nor one that itself reused another.
    """
    if record.reused is not None or record.digest is None:
        return False
    if record.outcome == "failed":
        return record.kind in TELLING
    if record.outcome == "cut" and record.kind == "purse":
        return False
    return record.outcome in ("done", "cut", "pruned") and record.planned_epochs == epochs


def _metrics(network: Candidate, report: Mapping[str, Any]) -> dict[str, float]:
    learnt = {
        "accuracy": report["valid_accuracy"],
        "loss": report["valid_loss"],
        "latency": report.get("latency"),
    }
    return {**network.planned(), **{k: v for k, v in learnt.items() if v is not None}}


def _end(
    trial: Handle,
    state: str,
    result: dict[str, Any],
    values: Sequence[float | None] | None = None,
) -> Record:
    known = {key: value for key, value in result.items() if value is not None}
    return trial.end(state, values, {RESULT: known})
