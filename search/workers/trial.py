"""One trial in a worker: measure the latency of the network, build it, train it, write its files, report."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch

import genome
import trainer
from search.formatting import seconds_in_ms
from search.storage.place import Place
from search.storage.trial_report import LIMIT, Charge, Stopped, TrialReport
from search.workers import latency
from search.workers.checkpoints import checkpoint_at, take_over_checkpoint
from search.workers.early_exits import EarlyExits
from search.workers.folds import trained_folds
from search.workers.memory_limit import memory_limit
from search.workers.messages import Job, Measured, Row, Rung, Verdict
from search.workers.weight_inheritance import Inheritance, inherit, noted_inheritance
from trainer.outcome import is_memory

log = logging.getLogger("search")


class WorkerContext(NamedTuple):
    """What a worker has for every job."""

    data: trainer.Data
    device: str
    pipe: Connection
    halted: threading.Event  # set where the worker shall write the checkpoint and stop


class Unfit(NamedTuple):
    """Why a network is not trained."""

    kind: str
    reason: str


class Trained(NamedTuple):
    """What training gave."""

    report: trainer.Report
    earlier_seconds: float = 0.0  # of the report's seconds, those inside the checkpoint that was resumed
    inherited: Inheritance | None = None  # the weights that the network began with
    stopped: Mapping[str, Stopped] = {}  # what it comes to where it stops early


def run(job: Job, context: WorkerContext) -> TrialReport:
    """Train one network, write the files of its trial and return its report.

    An interrupted trial leaves no report file but its checkpoint, from which this or another trial may resume.
    Raises OSError where the files of the trial cannot be written, such as on a full disk.
    """
    measured, unfit = _latency(job, context)
    spent = measured.seconds if measured else 0.0
    meter = trainer.Meter(context.device, spent)
    peak = trainer.Peak(torch.device(context.device))
    place = Place(Path(job.folder), job.artifacts)
    checkpoint = checkpoint_at(place, job.checkpoint_seconds)
    earlier_seconds = take_over_checkpoint(checkpoint, job.earlier, job.artifacts)
    try:
        if unfit is not None:
            trained = Trained(_unfit(job, unfit, meter, context.device))
        else:
            with memory_limit(job.memory_bytes if context.device == "cpu" else None):
                trained = _trained(job, context, meter, checkpoint, earlier_seconds)
    except OSError:  # of a file of the trial
        raise
    except Exception as error:  # from building; `fit` has outcomes of its own
        trained = Trained(_failed(job, error, meter, peak, context.device))
    report = _report(job, trained, measured.latency.seconds if measured else None)
    weights = trained.report.best_weights
    if weights is not None and trained.report.outcome != "interrupted":
        written = place.write(job.genome, safetensors.torch.save(weights), report.to_json())
        report = report._replace(files=written)
    return report


def _trained(
    job: Job,
    context: WorkerContext,
    meter: trainer.Meter,
    checkpoint: trainer.Checkpoint,
    earlier_seconds: float,
) -> Trained:
    """Resume from the checkpoint that was taken over; train from scratch where there is none that can be used."""
    if earlier_seconds:
        try:
            trained = _fitted(job, context, meter, checkpoint, earlier_seconds)
        except trainer.CheckpointError as error:
            reason = str(error)
        else:
            if trained.report.precision is not None:
                return trained
            # Without a precision the training was never set up, and its seconds lack those of the checkpoint.
            reason = trained.report.reason
            meter.add(trained.report.seconds - meter.seconds)
        log.warning("trial %d starts from scratch: %s", job.number, reason)
        checkpoint.remove()
    return _fitted(job, context, meter, checkpoint, 0.0)


def _fitted(
    job: Job,
    context: WorkerContext,
    meter: trainer.Meter,
    checkpoint: trainer.Checkpoint,
    earlier_seconds: float,
) -> Trained:
    """Build and train, with K folds once for each."""
    folds = context.data.folds
    if not folds:
        return _fitted_on(context.data, job, context, meter, checkpoint, earlier_seconds)
    trained: dict[int, Trained] = {}

    def train(fold: int, own: trainer.Checkpoint) -> trainer.Report:
        only = job if fold == 0 else job._replace(rungs=(), parent=None, stops=None)
        made = _fitted_on(folds[fold], only, context, meter, own, earlier_seconds, is_told=fold == 0)
        meter.add(made.report.seconds - meter.seconds)  # the limits are those of all folds
        trained[fold] = made
        return made.report

    report = trained_folds(len(folds), checkpoint, job.checkpoint_seconds, bool(earlier_seconds), train)
    begun, whole = min(trained.items())
    whole = whole._replace(report=report)
    # what stops early is the first fold, which may have been trained before an interruption
    return whole if begun == 0 else _stopping(whole, _early_exits(job, context))


def _fitted_on(
    data: trainer.Data,
    job: Job,
    context: WorkerContext,
    meter: trainer.Meter,
    checkpoint: trainer.Checkpoint,
    earlier_seconds: float,
    *,
    is_told: bool = True,
) -> Trained:
    """Build and train on one split. is_told: whether the coordinator hears of every epoch."""
    with meter:
        written = genome.loads(job.genome)
        module = genome.build(written, seed=job.recipe.seed)
        if earlier_seconds:
            inherited = noted_inheritance((job.folder, *job.earlier))
        else:
            inherited = (
                inherit(module, written, job.parent, job.folder, job.artifacts) if job.parent else None
            )
        module = module.to(context.device)

    paused, exits = threading.Event(), _early_exits(job, context)

    def on_rung(epoch: int, scores: Mapping[str, float]) -> bool:
        found = exits.measured(module.state_dict()) if exits else {}
        told = {**scores, **{name: one.cost for name, one in found.items()}}
        context.pipe.send(Rung(job.number, epoch, told))
        verdict: Verdict = context.pipe.recv()
        if verdict.pause:
            paused.set()
        return verdict.stop

    report = trainer.fit(
        module,
        data,
        _budget(job, earlier_seconds),
        on_rung,
        recipe=job.recipe,
        device=context.device,
        on_epoch=(lambda row: context.pipe.send(Row(job.number, asdict(row)))) if is_told else None,
        started_seconds=meter.seconds,
        predicted_bytes=job.predicted_bytes,
        checkpoint=checkpoint,
        stop_asked=lambda: paused.is_set() or context.halted.is_set(),
        goal=job.goal,
    )
    return _stopping(Trained(report, earlier_seconds, inherited), exits)


def _stopping(trained: Trained, exits: EarlyExits | None) -> Trained:
    """Measure what the weights come to where they stop early."""
    if exits is None:
        return trained
    report = trained.report
    weights = report.best_weights if report.outcome != "failed" else None
    stopped = exits.measured(weights) if weights is not None else {}
    # its training did not count these seconds
    return trained._replace(report=replace(report, seconds=report.seconds + exits.seconds), stopped=stopped)


def _early_exits(job: Job, context: WorkerContext) -> EarlyExits | None:
    if job.stops is None:
        return None
    return EarlyExits(job.genome, job.stops, context.data, context.device, 2 * job.recipe.batch)


def _budget(job: Job, earlier_seconds: float) -> trainer.Budget:
    """What the trial may use. `fit` counts the seconds inside the checkpoint, which were charged before."""
    left = None if job.left_seconds is None else job.left_seconds + earlier_seconds
    return trainer.Budget(left, job.trial_seconds, job.memory_bytes, job.rungs)


def _latency(job: Job, context: WorkerContext) -> tuple[latency.Found | None, Unfit | None]:
    """Measure the latency where the study asks for it; return it, and why the network is not trained, if so."""
    if job.latency is None:
        return None, None
    try:
        found = latency.measured(job.genome, job.latency.setting, context.data, context.device)
    except latency.LatencyError as error:
        return None, Unfit("error", str(error))
    context.pipe.send(Measured(job.number, found.latency))
    limit = job.latency.limit
    if limit is None or found.latency.seconds <= limit:
        return found, None
    return found, Unfit(LIMIT, f"{found.latency}; at most {seconds_in_ms(limit)} is allowed")


def _unfit(job: Job, unfit: Unfit, meter: trainer.Meter, device: str) -> trainer.Report:
    return trainer.Report.failed(
        unfit.kind,
        unfit.reason,
        recipe=job.recipe,
        device=device,
        seconds=meter.seconds,
        predicted_memory_bytes=job.predicted_bytes,
    )


def _failed(
    job: Job, error: Exception, meter: trainer.Meter, peak: trainer.Peak, device: str
) -> trainer.Report:
    is_out_of_memory = is_memory(error)
    message = " ".join(str(error).split())[:200] or type(error).__name__
    reason, seen = f"the network could not be built: {message}", peak.bytes if is_out_of_memory else None
    if seen is not None:
        reason += f" ({seen:,} bytes seen at most, {job.predicted_bytes:,} bytes predicted)"
    return trainer.Report.failed(
        "out-of-memory" if is_out_of_memory else "error",
        reason,
        recipe=job.recipe,
        device=device,
        seconds=meter.seconds,
        peak_memory_bytes=seen,
        predicted_memory_bytes=job.predicted_bytes,
    )


def _report(job: Job, trained: Trained, latency_seconds: float | None) -> TrialReport:
    """The report of a job, without weights."""
    report = replace(trained.report, best_weights=None, last_weights=None)
    return TrialReport(
        report=_with_limit(report, job, trained.earlier_seconds) if report.outcome == "cut" else report,
        number=job.number if job.trial is None else job.trial,
        digest=job.digest,
        charge=Charge(report.seconds, trained.earlier_seconds, job.charged_share, job.paid_seconds),
        latency=latency_seconds,
        inherited=trained.inherited.to_json() if trained.inherited else None,
        stopped=trained.stopped,
    )


def _with_limit(report: trainer.Report, job: Job, earlier_seconds: float) -> trainer.Report:
    """Say of a trial that was cut by what: the budget, or its own limit in device seconds as in the study file."""
    limit = _budget(job, earlier_seconds).limit()
    if limit is None:
        return report
    seconds, name = limit
    after = f"after {report.epochs} of {job.recipe.epochs} epochs"
    if name == "device_time":
        return replace(report, kind="purse", reason=f"the budget was spent {after}")
    return replace(report, reason=f"{name} of {seconds * job.charged_share:.3g} s was used up {after}")
