"""The child process: takes jobs from its pipe, trains each network, writes what came of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
import trainer.data  # heavy parts that jobs need, named so that the fork server loads them once
import trainer.loop
from trainer import files

from .dataset import Dataset
from .messages import Broken, Finished, Job, Ready, Row, Rung, Setup, Verdict
from .record import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE

WARM_UP_SECONDS = 0.1


class Latency(NamedTuple):
    """Seconds of one image, or None where it was not asked for, and what the measuring cost."""

    seconds: float | None
    cost_seconds: float


def serve(pipe: Connection, setup: Setup) -> None:
    """Load the data, then train one job after another until the coordinator hangs up."""
    _end_with_the_coordinator()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the coordinator decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(setup.threads)
    if setup.device != "cpu":
        torch.cuda.set_device(setup.device)
    dataset = Dataset(setup.data, setup.root, setup.size, setup.mirror)
    try:
        data = dataset.load().to(setup.device)
        _warm_up(data, setup.device)
    except (ValueError, RuntimeError) as error:
        pipe.send(Broken(str(error)))
        return
    pipe.send(Ready())
    while True:
        try:
            job: Job = pipe.recv()
        except (EOFError, OSError):
            return
        report = work(job, data, setup.device, pipe)
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


def work(job: Job, data: trainer.Data, device: str, pipe: Connection) -> dict[str, Any]:
    """Train one network, write its folder and return its report as plain values."""
    meter = trainer.Meter(device)
    try:
        with _memory_limit(job.memory_bytes if device == "cpu" else None):
            report, latency = _trained(job, data, device, pipe, meter)
    except Exception as error:  # from building; `fit` has outcomes of its own
        report, latency = _failed(job, error, meter, device), Latency(None, 0.0)
    plain = {**report.to_dict(), "number": job.number, "digest": job.digest, "latency": latency.seconds}
    plain["seconds"], plain["charged_share"] = report.seconds + latency.cost_seconds, job.charged_share
    if report.best_weights is not None:
        _write(Path(job.folder), job.genome, report.best_weights, plain)
    return plain


def _trained(
    job: Job, data: trainer.Data, device: str, pipe: Connection, meter: trainer.Meter
) -> tuple[trainer.Report, Latency]:
    """Build, train, and measure the latency where it is an objective."""
    with meter:
        module = genome.build(genome.loads(job.genome), seed=job.recipe.seed).to(device)
    budget = trainer.Budget(per_trial=job.seconds, memory=job.memory_bytes, rungs=job.rungs)

    def on_rung(epoch: int, scores: Mapping[str, float]) -> bool:
        pipe.send(Rung(job.number, epoch, dict(scores)))
        verdict: Verdict = pipe.recv()
        return verdict.stop

    report = trainer.fit(
        module,
        data,
        budget,
        on_rung,
        recipe=job.recipe,
        device=device,
        on_epoch=lambda row: pipe.send(Row(job.number, asdict(row))),
        started_seconds=meter.seconds,
    )
    if not job.latency or report.best_weights is None or report.outcome == "failed":
        return report, Latency(None, 0.0)
    measuring = trainer.Meter(device)
    with measuring:
        seconds = trainer.latency(module, data.input, device)
    return report, Latency(seconds, measuring.seconds)


def _failed(job: Job, error: Exception, meter: trainer.Meter, device: str) -> trainer.Report:
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return trainer.Report(
        outcome="failed",
        kind="out-of-memory" if memory else "error",
        reason=f"the network could not be built: {said}",
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
        peak_memory_bytes=None,
    )


def _write(folder: Path, text: str, weights: dict[str, torch.Tensor], report: dict[str, Any]) -> None:
    """Write genome, weights and report, the report last: where it stands, the trial is whole."""
    files.write(folder / GENOME_FILE, text.encode())
    files.write(folder / WEIGHTS_FILE, safetensors.torch.save(weights))
    files.write(folder / REPORT_FILE, json.dumps(report, allow_nan=False).encode())


@contextmanager
def _memory_limit(more_bytes: int | None) -> Iterator[None]:
    """Let this process's address space grow by so many bytes and no further; an allocation then fails.

    torch alone reserves some 3 GB of addresses without using them, hence growth and not the total. Raised
    again at the end, as even sending a message takes memory.
    """
    if more_bytes is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + more_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (min(limit, hard) if hard != resource.RLIM_INFINITY else limit, hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _end_with_the_coordinator() -> None:
    """End this process the moment the coordinator does, also by kill -9, also in the middle of a job."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-the-coordinator").start()
