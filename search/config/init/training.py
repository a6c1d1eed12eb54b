"""The recipe and the budget of a trial, so that enough trainings fit into the budget of the study."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

from search.config.init.device import Device
from search.config.init.images import Images
from search.config.init.limits import SEARCHED, TRAININGS
from search.config.init.wishes import Wishes
from search.config.needed_memory import NeededMemory
from trainer import Recipe

if TYPE_CHECKING:
    from genome import Plan

BATCHES = ((4_000, 32), (20_000, 64), (100_000, 128))  # fewer images -> batch
LARGE_BATCH = 256
FEWEST_EPOCHS = 3
OPTIMIZER, LR = "muon", 0.1  # of the default recipe, written out so that a reader may change them
# shares of the epochs; a rung that says little about the end stops nobody
RUNGS = (1 / 6, 1 / 3, 1 / 2, 2 / 3)
GIB = 2**30
MEMORY = {"cpu": 8, "cuda": 32}  # GiB of one trial, at most
LONGER = 5  # a trial is stopped after so many times the seconds of a usual network
TIMES = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)  # seconds


class Training(NamedTuple):
    """How networks are trained."""

    batch: int
    epochs: int
    rungs: tuple[int, ...]
    per_trial: int  # seconds
    memory: int  # GiB
    trainings: int  # full trainings that fit into the search, about


def usual_epochs(images: int) -> int:
    """Return the epochs in which a usual network learns so many images, from experience: fewer for more images."""
    return min(max(round(12 * math.sqrt(math.sqrt(2_000 / images))), 4), 20)


def usual_batch(images: int, device: Device) -> int:
    """Return the batch for so many images."""
    small = next((batch for below, batch in BATCHES if images < below), LARGE_BATCH)
    return max(small, LARGE_BATCH) if device.name == "cuda" and images >= BATCHES[1][0] else small


def plan_training(
    wishes: Wishes, images: Images, device: Device, networks: tuple[Plan, ...], batch: int
) -> Training:
    """Return the recipe with which about `TRAININGS` of these networks can be trained in full."""
    memory = _memory(device)
    while batch > 8 and _too_large(networks, batch, memory):
        batch //= 2
    epoch = _usual([device.training_seconds(plan, images.train, 1, batch) for plan in networks])
    seconds = SEARCHED * wishes.seconds * device.workers  # of all workers together
    most = 2 * usual_epochs(images.train)
    epochs = int(min(max(seconds / (TRAININGS * epoch), FEWEST_EPOCHS), most))
    usual = epochs * epoch / device.workers  # device seconds
    return Training(
        batch=batch,
        epochs=epochs,
        rungs=tuple(sorted({max(1, round(share * epochs)) for share in RUNGS} | {epochs})),
        per_trial=next((time for time in TIMES if time >= LONGER * usual), TIMES[-1]),
        memory=memory,
        trainings=max(1, int(seconds / (epochs * epoch))),
    )


def _usual(seconds: list[float]) -> float:
    """Return the seconds of a usual training: the upper quartile, since samplers prefer networks near the limits."""
    return statistics.quantiles(seconds, n=4)[2] if len(seconds) > 1 else seconds[0]


def _memory(device: Device) -> int:
    """Return GiB of one trial: a power of two of at most half of the worker's share."""
    share = device.memory_bytes / (2 * device.workers * GIB)
    return min(1 << max(0, int(share).bit_length() - 1), MEMORY[device.name])


def _too_large(networks: tuple[Plan, ...], batch: int, memory: int) -> bool:
    """Whether more than a twentieth of the networks need more memory than a trial has."""
    recipe = Recipe(batch=batch, optimizer=OPTIMIZER, lr=LR)
    needed = sorted(NeededMemory(plan, recipe).training(batch) for plan in networks)
    return needed[int(0.95 * (len(needed) - 1))] > memory * GIB
