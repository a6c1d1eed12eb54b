"""The peak of the bytes that torch has allocated, seen by its profiler: the same on any machine and at any load."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

import genome
import trainer
from trainer import Data, Recipe
from trainer.data.data import Split


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the most bytes that were allocated at once on the CPU while `call` ran, beside those from before.

    torch reports each allocation and release, those inside its kernels too. What oneDNN takes for itself is not seen.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    now = most = 0
    for event in seen.profiler.kineto_results.events():  # in the order of time
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def noise(shape: tuple[int, int, int], classes: int, images: int) -> Data:
    """Return a data set of random images and labels, in equal parts for training, validation and test."""
    draws = torch.Generator().manual_seed(0)

    def part() -> Split:
        x = torch.randint(256, (images, *shape), dtype=torch.uint8, generator=draws)
        return Split(x, torch.randint(classes, (images,), generator=draws), mapped=True)

    mean, std = (0.5,) * shape[0], (0.3,) * shape[0]
    names = tuple(map(str, range(classes)))
    return Data("noise", shape, names, part(), part(), part(), mean, std, mirror=True)


def trained_bytes(plan: genome.Plan, data: Data, recipe: Recipe) -> int:
    """Return the peak of building and training a network."""

    def train() -> None:
        report = trainer.fit(genome.build(plan), data, recipe=recipe)
        if report.outcome != "done":
            raise RuntimeError(report.reason)

    return peak_bytes(train)


def evaluated_bytes(plan: genome.Plan, data: Data, batch: int, layout: str) -> int:
    """Return the peak of building a network and of evaluating it in batches."""
    form = {"precision": "fp32", "layout": layout}
    return peak_bytes(lambda: trainer.evaluate(genome.build(plan), data.valid, data, batch=batch, **form))
