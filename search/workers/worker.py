"""The child process: takes jobs from its pipe, trains each network, writes what came of it."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import asdict
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
import torch._dynamo  # torch's optimizers import it at their first use, which takes a second

import genome
import trainer
import trainer.data.data  # heavy parts that jobs need, named so that the fork server loads them once
import trainer.loop.fit_loop
from search.config.dataset import Dataset
from search.storage.trial_files import CHECKPOINT_FILE, GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from search.workers.checkpoints import inherit
from search.workers.memory_limit import memory_limit
from search.workers.messages import (
    HALT,
    Broken,
    Finished,
    Job,
    Ready,
    Row,
    Rung,
    Screening,
    Setup,
    Task,
    Verdict,
)
from search.workers.proxies import screened
from search.workers.weight_inheritance import Inheritance, begin, begun
from trainer import files
from trainer.data.residence import placed
from trainer.outcome import is_memory

WARM_UP_SECONDS = 0.1

log = logging.getLogger("search")


class Bench(NamedTuple):
    """What a child has at hand for every job. `halted`: whether it shall keep what it has and stop."""

    data: trainer.Data
    device: str
    pipe: Connection
    halted: threading.Event


class Latency(NamedTuple):
    """Seconds of one image, or None where it was not asked for, and what the measuring cost."""

    seconds: float | None
    cost_seconds: float


class Trained(NamedTuple):
    """What came of a job. `earlier_seconds` of the report's were charged before: to itself, to those it repeats;
    `inherited`: the weights that it began with."""

    report: trainer.Report
    latency: Latency = Latency(None, 0.0)
    earlier_seconds: float = 0.0
    inherited: Inheritance | None = None


def serve(pipe: Connection, setup: Setup) -> None:
    """Load the data, then train one job after another until the coordinator hangs up."""
    _end_with_the_coordinator()
    halted = threading.Event()
    signal.signal(HALT, lambda number, frame: halted.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(setup.threads)
    if setup.keeps_pages:
        trainer.keep_pages()
    if setup.device != "cpu":
        torch.cuda.set_device(setup.device)
    dataset = Dataset(setup.data, setup.root, setup.size, setup.mirror)
    try:
        data = placed(dataset.load(), torch.device(setup.device))
        data.digest()  # a checkpoint names it; it is kept with the data
        _warm_up(data, setup.device)
    except (ValueError, RuntimeError) as error:
        pipe.send(Broken(str(error)))
        return
    bench = Bench(data, setup.device, pipe, halted)
    pipe.send(Ready())
    while True:
        try:
            job: Task = pipe.recv()
        except (EOFError, OSError):
            return
        if isinstance(job, Screening):
            pipe.send(screened(job, data, setup.device, halted.is_set))
            continue
        report = work(job, bench)
        pipe.send(Finished(job.number, report))
        if report["kind"] == "device":
            return  # a CUDA error stays with its process; the next job gets a fresh one


def _warm_up(data: trainer.Data, device: str) -> None:
    """Train for a moment, so that what torch does only once is charged to no trial."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(data.input[0], 8, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, len(data.classes)),
    )
    trainer.fit(module, data, trainer.Budget(per_trial=WARM_UP_SECONDS), device=device)


def work(job: Job, bench: Bench) -> dict[str, Any]:
    """Train one network, write its folder and return its report as plain values.

    An interrupted one leaves no report but its checkpoint, from which it, or another trial, may go on.
    """
    meter, peak = trainer.Meter(bench.device), trainer.Peak(torch.device(bench.device))
    checkpoint = trainer.Checkpoint(Path(job.folder) / CHECKPOINT_FILE, job.checkpoint_seconds)
    carried = inherit(checkpoint, job.earlier)
    try:
        with memory_limit(job.memory_bytes if bench.device == "cpu" else None):
            trained = _trained(job, bench, meter, checkpoint, carried)
    except Exception as error:  # from building; `fit` has outcomes of its own
        trained = Trained(_failed(job, error, meter, peak, bench.device))
    plain = _plain(job, trained)
    if trained.report.best_weights is not None and trained.report.outcome != "interrupted":
        _write(Path(job.folder), job.genome, trained.report.best_weights, plain)
    return plain


def _trained(
    job: Job, bench: Bench, meter: trainer.Meter, checkpoint: trainer.Checkpoint, carried: float
) -> Trained:
    """Go on with what was carried over, or begin where there is nothing, or nothing of use."""
    if carried:
        try:
            trained = _fitted(job, bench, meter, checkpoint, carried)
        except trainer.CheckpointError as error:
            said = str(error)
        else:
            if trained.report.precision is not None:
                return trained
            # It has no form, for it was never set up; nor are the seconds from before among its own.
            said = trained.report.reason
            meter.add(trained.report.seconds - meter.seconds)
        log.warning("trial %d begins afresh: %s", job.number, said)
        checkpoint.remove()
    return _fitted(job, bench, meter, checkpoint, 0.0)


def _fitted(
    job: Job, bench: Bench, meter: trainer.Meter, checkpoint: trainer.Checkpoint, carried: float
) -> Trained:
    """Build, train, and measure the latency where it is an objective."""
    with meter:
        written = genome.loads(job.genome)
        module = genome.build(written, seed=job.recipe.seed)
        if carried:
            inherited = begun((job.folder, *job.earlier))
        else:
            inherited = begin(module, written, job.parent, job.folder) if job.parent else None
        module = module.to(bench.device)

    paused = threading.Event()

    def on_rung(epoch: int, scores: Mapping[str, float]) -> bool:
        bench.pipe.send(Rung(job.number, epoch, dict(scores)))
        verdict: Verdict = bench.pipe.recv()
        if verdict.pause:
            paused.set()
        return verdict.stop

    report = trainer.fit(
        module,
        bench.data,
        _budget(job, carried),
        on_rung,
        recipe=job.recipe,
        device=bench.device,
        on_epoch=lambda row: bench.pipe.send(Row(job.number, asdict(row))),
        started_seconds=meter.seconds,
        predicted_bytes=job.predicted_bytes,
        checkpoint=checkpoint,
        stop_asked=lambda: paused.is_set() or bench.halted.is_set(),
    )
    return Trained(report, _latency(job, bench, module, report), carried, inherited)


def _budget(job: Job, carried: float) -> trainer.Budget:
    """What the trial may use: `fit` counts the seconds carried over, which the purse has paid already."""
    left = None if job.left_seconds is None else job.left_seconds + carried
    return trainer.Budget(left, job.trial_seconds, job.memory_bytes, job.rungs)


def _latency(job: Job, bench: Bench, module: torch.nn.Module, report: trainer.Report) -> Latency:
    if not job.latency or report.best_weights is None or report.outcome in ("failed", "interrupted"):
        return Latency(None, 0.0)
    meter = trainer.Meter(bench.device)
    with meter:
        seconds = trainer.latency(module, bench.data.input, bench.device)
    return Latency(seconds, meter.seconds)


def _failed(
    job: Job, error: Exception, meter: trainer.Meter, peak: trainer.Peak, device: str
) -> trainer.Report:
    memory = is_memory(error)
    said = " ".join(str(error).split())[:200] or type(error).__name__
    reason, seen = f"the network could not be built: {said}", peak.bytes if memory else None
    if seen is not None:
        reason += f" ({seen:,} bytes seen at most, {job.predicted_bytes:,} bytes predicted)"
    return trainer.Report(
        outcome="failed",
        kind="out-of-memory" if memory else "error",
        reason=reason,
        epochs=0,
        best_epoch=None,
        valid_accuracy=None,
        valid_loss=None,
        exits=(),
        curve=(),
        seconds=meter.seconds,
        images_per_second=None,
        recipe=job.recipe.to_dict(),
        device=device,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        seed=job.recipe.seed,
        peak_memory_bytes=seen,
        predicted_memory_bytes=job.predicted_bytes,
    )


def _plain(job: Job, trained: Trained) -> dict[str, Any]:
    """The report as plain values, with what a study keeps beside it."""
    report = trained.report
    plain = {
        **report.to_dict(),
        "number": job.number if job.trial is None else job.trial,
        "digest": job.digest,
        "latency": trained.latency.seconds,
        "inherited": trained.inherited.to_json() if trained.inherited else None,
    }
    plain["seconds"] = report.seconds + trained.latency.cost_seconds
    plain["earlier_seconds"], plain["charged_share"] = trained.earlier_seconds, job.charged_share
    plain["paid_seconds"] = job.paid_seconds
    limit = _budget(job, trained.earlier_seconds).limit()
    if report.outcome == "cut" and limit is not None and limit[1] == "device_time":
        plain["kind"] = "purse"
        plain["reason"] = f"the budget was spent after {report.epochs} of {job.recipe.epochs} epochs"
    return plain


def _write(folder: Path, text: str, weights: dict[str, torch.Tensor], report: dict[str, Any]) -> None:
    """Write genome, weights and report, the report last: where it stands, the trial is whole."""
    files.write(folder / GENOME_FILE, text.encode())
    files.write(folder / WEIGHTS_FILE, safetensors.torch.save(weights))
    files.write(folder / REPORT_FILE, json.dumps(report, allow_nan=False).encode())


def _end_with_the_coordinator() -> None:
    """End this process the moment the coordinator does, also by kill -9, also in the middle of a job."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-the-coordinator").start()
