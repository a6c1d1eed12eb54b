"""The latency of a network."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from trainer.hardware.devices import device_of
from trainer.hardware.meter import synchronize
from trainer.hardware.modes import evaluating
from trainer.hardware.passes import Timing, on_the_clock, on_the_processor, timed
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
    with _forward(module, input_shape, device_of(device), 1) as run:
        seconds = [on_the_clock(run) for _ in range(WARM_UP + repeats)]
    return statistics.median(seconds[WARM_UP:])


def timing(
    module: nn.Module,
    input_shape: tuple[int, int, int],
    device: str | torch.device = "cpu",
    batch: int = 1,
    threads: int = 1,
) -> Timing:
    """Return how long a forward pass of `batch` images (channels, height, width) takes, with its noise.

    The module is moved to the device; its mode and the number of threads of torch are restored. On the CPU with one
    thread the seconds are processor seconds, which neighbours hardly change; else they are those of the clock.
    """
    place, before = device_of(device), torch.get_num_threads()
    is_alone = place.type == "cpu" and threads == 1
    torch.set_num_threads(threads)
    try:
        with _forward(module, input_shape, place, batch) as run:
            return timed(run, on_the_processor if is_alone else on_the_clock)
    finally:
        torch.set_num_threads(before)


@contextmanager
def _forward(
    module: nn.Module, shape: tuple[int, int, int], place: torch.device, batch: int
) -> Iterator[Callable[[], None]]:
    """Give a function that runs the module once and waits for the device."""
    module.to(place)
    form = usual(module, place, "fp32")
    form.lay_out(module)
    x = laid_out(torch.zeros(batch, *shape, device=place), form.memory_format)

    def run() -> None:
        module(x)
        synchronize(place)

    with evaluating(module):
        synchronize(place)
        yield run
