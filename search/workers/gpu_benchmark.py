"""The GPU benchmark: a process that reports the free memory of a device and how fast a small network trains there."""

from __future__ import annotations

import os
from itertools import pairwise
from multiprocessing.connection import Connection

import torch
from torch import nn

import trainer
from search.workers.messages import DeviceState
from trainer.data.residence import free_bytes
from trainer.hardware.cache import machine

IMAGES, SIDE, CLASSES = 2048, 32, 10
WIDTHS = (3, 16, 32, 64)


def serve(pipe: Connection, device: str) -> None:
    """Send the state of the device; then train for each number of seconds received, and send the images a second."""
    torch.set_num_threads(1)
    place = torch.device(device)
    try:
        data = images().to(place)
        pipe.send(DeviceState(machine(place), free_bytes(place) or 0))
        while True:
            pipe.send(rate(data, device, pipe.recv()))
    except (
        EOFError,
        OSError,
        RuntimeError,
    ):  # the coordinator closed the pipe, or the device has no memory left
        os._exit(0)


def rate(data: trainer.Data, device: str, seconds: float) -> float | None:
    """Return the images a second of training for some seconds, None where no step can be done.

    Where the machine is busy and no step is done in that time, the time is doubled.
    """
    recipe = trainer.Recipe(epochs=10_000, compile="never")
    while True:
        budget = trainer.Budget(per_trial=seconds)
        report = trainer.fit(network(), data, budget, recipe=recipe, device=device)
        if report.outcome != "cut" or report.images_per_second is not None:
            return report.images_per_second
        seconds *= 2


def network() -> nn.Module:
    """Return a network as small as the smallest ones of a search on images of 32x32."""
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(WIDTHS)):
        layers += [nn.Conv2d(before, after, 3, stride=1 + (i > 0), padding=1, bias=False)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], CLASSES))


def images() -> trainer.Data:
    """Return noise with labels; the global random state is not used."""
    generator = torch.Generator().manual_seed(0)
    size = (IMAGES, WIDTHS[0], SIDE, SIDE)
    x = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
    split = trainer.Split(x, torch.arange(IMAGES) % CLASSES)
    few = trainer.Split(x[:CLASSES], split.y[:CLASSES])
    names = tuple(map(str, range(CLASSES)))
    return trainer.Data("noise", size[1:], names, split, few, few, (0.5,) * 3, (0.29,) * 3, mirror=True)
