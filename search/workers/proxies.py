"""Screening in a child process: candidates built, their proxies measured, and thrown away."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

import genome
import trainer
from search.workers.memory_limit import memory_limit
from search.workers.messages import Screened, Screening
from trainer.data.batches import Normalise
from trainer.hardware.precision import usual
from trainer.proxies import proxies

IMAGES = 32  # a batch; fewer than an image of 8x8 has pixels, or Jacobians would be related for want of room

log = logging.getLogger("search")


def screen(job: Screening, data: trainer.Data, device: str, stop_asked: Callable[[], bool]) -> Screened:
    """Measure the proxies of every candidate on the same images.

    A candidate that cannot be built or run has no row, nor has what is left when the time is up. Raises where the
    device itself fails, which is the end of this process.
    """
    meter = trainer.Meter(device)
    rows: list[dict[str, float] | None] = []
    for text in job.genomes:
        over = job.most_seconds is not None and meter.seconds >= job.most_seconds
        with meter:
            rows.append(None if over or stop_asked() else _row(text, job, data, device))
    return Screened(job.number, tuple(rows), meter.seconds)


def _row(text: str, job: Screening, data: trainer.Data, device: str) -> dict[str, float] | None:
    try:
        with memory_limit(job.memory_bytes if device == "cpu" else None):
            return _measured(text, job, data, torch.device(device))
    except torch.AcceleratorError:
        raise
    except Exception as error:  # whatever a network can raise; trained, it would be the outcome of its trial
        log.info("a candidate was not screened: %s", " ".join(str(error).split()))
        return None


def _measured(text: str, job: Screening, data: trainer.Data, device: torch.device) -> dict[str, float]:
    module = genome.build(genome.loads(text), seed=job.seed).to(device)
    form = usual(module, device, "fp32")
    form.lay_out(module)
    chosen = spread(len(data.train), IMAGES)
    images = Normalise(data, device, form)(data.train.x[chosen].to(device))
    return proxies(module, images, data.train.y[chosen].to(device), job.proxies)


def spread(count: int, wanted: int) -> list[int]:
    """Return places spread evenly over so many, as the images of a folder may lie by class."""
    wanted = min(count, wanted)
    return [i * count // wanted for i in range(wanted)]
