"""One trial in a worker: build the network, train it, measure its latency, write its files, report."""

from __future__ import annotations

import json
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
from search.storage.trial_files import CHECKPOINT_FILE, GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from search.storage.trial_report import Charge, TrialReport
from search.workers.checkpoints import take_over_checkpoint
from search.workers.memory_limit import memory_limit
from search.workers.messages import Job, Row, Rung, Verdict
from search.workers.weight_inheritance import Inheritance, inherit, noted_inheritance
from trainer import files
from trainer.outcome import is_memory

log = logging.getLogger("search")


class WorkerContext(NamedTuple):
    """What a worker has for every job."""

    data: trainer.Data
    device: str
    pipe: Connection
    halted: threading.Event  # set where the worker shall write the checkpoint and stop


class Latency(NamedTuple):
    """What measuring the latency gave."""

    seconds: float | None  # of one image; None where latency is no objective
    cost_seconds: float  # spent on measuring


class Trained(NamedTuple):
    """What training gave."""

    report: trainer.Report
    latency: Latency = Latency(None, 0.0)
    earlier_seconds: float = 0.0  # of the report's seconds, those inside the checkpoint that was resumed
    inherited: Inheritance | None = None  # the weights that the network began with


def run(job: Job, context: WorkerContext) -> TrialReport:
    """Train one network, write the files of its trial and return its report.

    An interrupted trial leaves no report file but its checkpoint, from which this or another trial may resume.
    """
    meter, peak = trainer.Meter(context.device), trainer.Peak(torch.device(context.device))
    checkpoint = trainer.Checkpoint(Path(job.folder) / CHECKPOINT_FILE, job.checkpoint_seconds)
    earlier_seconds = take_over_checkpoint(checkpoint, job.earlier)
    try:
        with memory_limit(job.memory_bytes if context.device == "cpu" else None):
            trained = _trained(job, context, meter, checkpoint, earlier_seconds)
    except Exception as error:  # from building; `fit` has outcomes of its own
        trained = Trained(_failed(job, error, meter, peak, context.device))
    report = _report(job, trained)
    weights = trained.report.best_weights
    if weights is not None and trained.report.outcome != "interrupted":
        _write(Path(job.folder), job.genome, weights, report)
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
    """Build, train, and measure the latency where it is an objective."""
    with meter:
        written = genome.loads(job.genome)
        module = genome.build(written, seed=job.recipe.seed)
        if earlier_seconds:
            inherited = noted_inheritance((job.folder, *job.earlier))
        else:
            inherited = inherit(module, written, job.parent, job.folder) if job.parent else None
        module = module.to(context.device)

    paused = threading.Event()

    def on_rung(epoch: int, scores: Mapping[str, float]) -> bool:
        context.pipe.send(Rung(job.number, epoch, dict(scores)))
        verdict: Verdict = context.pipe.recv()
        if verdict.pause:
            paused.set()
        return verdict.stop

    report = trainer.fit(
        module,
        context.data,
        _budget(job, earlier_seconds),
        on_rung,
        recipe=job.recipe,
        device=context.device,
        on_epoch=lambda row: context.pipe.send(Row(job.number, asdict(row))),
        started_seconds=meter.seconds,
        predicted_bytes=job.predicted_bytes,
        checkpoint=checkpoint,
        stop_asked=lambda: paused.is_set() or context.halted.is_set(),
    )
    return Trained(report, _latency(job, context, module, report), earlier_seconds, inherited)


def _budget(job: Job, earlier_seconds: float) -> trainer.Budget:
    """What the trial may use. `fit` counts the seconds inside the checkpoint, which were charged before."""
    left = None if job.left_seconds is None else job.left_seconds + earlier_seconds
    return trainer.Budget(left, job.trial_seconds, job.memory_bytes, job.rungs)


def _latency(job: Job, context: WorkerContext, module: torch.nn.Module, report: trainer.Report) -> Latency:
    if not job.latency or report.best_weights is None or report.outcome in ("failed", "interrupted"):
        return Latency(None, 0.0)
    meter = trainer.Meter(context.device)
    with meter:
        seconds = trainer.latency(module, context.data.input, context.device)
    return Latency(seconds, meter.seconds)


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


def _report(job: Job, trained: Trained) -> TrialReport:
    """The report of a job, without weights. A trial that was cut because the budget ran out says so."""
    report = replace(trained.report, best_weights=None, last_weights=None)
    limit = _budget(job, trained.earlier_seconds).limit()
    if report.outcome == "cut" and limit is not None and limit[1] == "device_time":
        reason = f"the budget was spent after {report.epochs} of {job.recipe.epochs} epochs"
        report = replace(report, kind="purse", reason=reason)
    seconds = report.seconds + trained.latency.cost_seconds
    return TrialReport(
        report=report,
        number=job.number if job.trial is None else job.trial,
        digest=job.digest,
        charge=Charge(seconds, trained.earlier_seconds, job.charged_share, job.paid_seconds),
        latency=trained.latency.seconds,
        inherited=trained.inherited.to_json() if trained.inherited else None,
    )


def _write(folder: Path, text: str, weights: dict[str, torch.Tensor], report: TrialReport) -> None:
    """Write genome, weights and report, the report last: a folder with a report is complete."""
    files.write(folder / GENOME_FILE, text.encode())
    files.write(folder / WEIGHTS_FILE, safetensors.torch.save(weights))
    files.write(folder / REPORT_FILE, json.dumps(report.to_json(), allow_nan=False).encode())
