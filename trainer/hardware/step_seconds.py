"""The seconds that one step of training takes, measured on random images."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from trainer.hardware.devices import device_of
from trainer.hardware.meter import synchronize
from trainer.hardware.precision import laid_out, usual

WARM_UP = 2
FEWEST = 3  # steps that are timed, however long they take


def step_seconds(
    module: nn.Module,
    input_shape: tuple[int, int, int],
    classes: int,
    batch: int,
    device: str | torch.device = "cpu",
    seconds: float = 0.5,
) -> float:
    """Return the median seconds of a step of SGD on `batch` images (channels, height, width).

    The module is moved to the device and trained; `seconds` is the time that the measurement takes, about.
    """
    place = device_of(device)
    module.to(place).train()
    form = usual(module, place)
    form.lay_out(module)
    x = laid_out(torch.randn(batch, *input_shape, device=place), form.memory_format)
    y = torch.arange(batch, device=place) % classes
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < WARM_UP + FEWEST or time.perf_counter() < end:
        synchronize(place)
        start = time.perf_counter()
        with form.autocast(place):
            logits = module(x)
            loss = sum(nn.functional.cross_entropy(one, y) for one in _exits(logits))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimizer.step()
        synchronize(place)
        found.append(time.perf_counter() - start)
    return statistics.median(found[WARM_UP:])


def _exits(logits: object) -> list[torch.Tensor]:
    return [logits] if isinstance(logits, torch.Tensor) else list(logits)  # type: ignore[call-overload]
