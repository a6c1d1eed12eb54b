"""Screening in a worker: builds candidates, measures their proxies and discards them."""

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

IMAGES = (
    32  # of a batch; fewer than the 64 pixels of an 8x8 image, so that Jacobians can be linearly independent
)

log = logging.getLogger("search")


def screen(job: Screening, data: trainer.Data, device: str, stop_asked: Callable[[], bool]) -> Screened:
    """Measure the proxies of every candidate on the same images.

    The row is None for a candidate that cannot be built or run, and for candidates left when the time is up. Raises
    torch.AcceleratorError where the device fails, which ends this process.
    """
    meter = trainer.Meter(device)
    rows: list[dict[str, float] | None] = []
    for text in job.genomes:
        is_over = job.most_seconds is not None and meter.seconds >= job.most_seconds
        with meter:
            rows.append(None if is_over or stop_asked() else _row(text, job, data, device))
    return Screened(job.number, tuple(rows), meter.seconds)


def _row(text: str, job: Screening, data: trainer.Data, device: str) -> dict[str, float] | None:
    try:
        with memory_limit(job.memory_bytes if device == "cpu" else None):
            return _measured(text, job, data, torch.device(device))
    except torch.AcceleratorError:
        raise
    except Exception as error:  # a network can raise anything; in training, this would fail its trial
        log.info("a candidate was not screened: %s", " ".join(str(error).split()))
        return None


def _measured(text: str, job: Screening, data: trainer.Data, device: torch.device) -> dict[str, float]:
    module = genome.build(genome.loads(text), seed=job.seed).to(device)
    precision = usual(module, device, "fp32")
    precision.lay_out(module)
    chosen = spread(len(data.train), IMAGES)
    images = Normalise(data, device, precision)(data.train.x[chosen].to(device))
    return proxies(module, images, data.train.y[chosen].to(device), job.proxies)


def spread(count: int, wanted: int) -> list[int]:
    """Return indices spread evenly over `count` images, which may be sorted by class."""
    wanted = min(count, wanted)
    return [i * count // wanted for i in range(wanted)]
