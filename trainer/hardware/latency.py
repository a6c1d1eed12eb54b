"""The latency of a network."""

import statistics
import time

import torch
from torch import nn

from trainer.hardware.devices import device_of
from trainer.hardware.meter import synchronize
from trainer.hardware.modes import evaluating
from trainer.hardware.precision import laid_out, usual

WARM_UP = 5


def latency(
    module: nn.Module,
    input_shape: tuple[int, int, int],
    device: str | torch.device = "cpu",
    repeats: int = 30,
) -> float:
    """Return the median seconds of a forward pass of one image (channels, height, width), after five warm-up passes.

    The module is moved to the device; its mode is restored. On CUDA each pass is synchronised.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; it must be at least 1")
    place = device_of(device)
    module.to(place)
    form = usual(module, place, "fp32")
    form.lay_out(module)
    x = laid_out(torch.zeros(1, *input_shape, device=place), form.memory_format)
    seconds = []
    with evaluating(module):
        for _ in range(WARM_UP + repeats):
            synchronize(place)
            start = time.perf_counter()
            module(x)
            synchronize(place)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])
