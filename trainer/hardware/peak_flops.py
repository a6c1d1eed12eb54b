"""The peak FLOP/s of a device, measured, to which the FLOP/s of a training are compared.

A data sheet knows neither the number of threads nor the share of a virtual machine. On CPUs convolutions are probed
beside a matrix product, because they use another library: on one core of an EPYC 9005 a matrix product in fp32 reaches
95 GFLOP/s, a convolution 250.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from trainer.hardware.cache import machine, recall, remember

Precision = Literal["fp32", "bf16"]

VERSION = 1  # of the probes; a new number makes every peak be measured again
SECONDS = 0.08  # of each probe

aten: Any = torch.ops.aten


class Conv(NamedTuple):
    """A 3x3 convolution of `images` maps of `channels` x `side` x `side` into as many channels."""

    channels: int
    side: int
    images: int  # per thread
    memory_format: torch.memory_format = torch.channels_last

    @property
    def flops(self) -> int:
        return 2 * 9 * self.channels**2 * self.side**2 * self.images


# The fastest of 60 shapes on an EPYC 9005, with and without AVX-512, and shapes that likely suit other processors.
CPU_CONVS = (
    Conv(64, 8, 64),
    Conv(128, 8, 32),
    Conv(256, 7, 32),
    Conv(64, 14, 32),
    Conv(256, 7, 32, torch.contiguous_format),
)
CPU_MATRIX = 512
CUDA_CONVS = (Conv(256, 32, 128), Conv(512, 16, 256))
CUDA_MATRICES = (4096, 8192)


def device_peak_flops(device: torch.device, precision: Precision) -> float:
    """Return the peak FLOP/s of the device in that precision, with torch's current settings and threads.

    Measured once per machine, in about a second, and cached. Other load at that time may make it too low.
    """
    key = f"ceiling {VERSION}, {machine(device)}, {precision}"
    known = recall(key)
    if not isinstance(known, float):
        known = measured(device, precision)
        remember(key, known)
    return known


def measured(device: torch.device, precision: Precision) -> float:
    """Measure and return the FLOP/s of the fastest probe. The random state is unchanged."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    convs, sides = (CPU_CONVS, (CPU_MATRIX,)) if device.type == "cpu" else (CUDA_CONVS, CUDA_MATRICES)
    with torch.no_grad():
        rates = [_conv_rate(conv._replace(images=conv.images * threads), device, dtype) for conv in convs]
        rates += [_matrix_rate(side, device, dtype) for side in sides]
    return max(rates)


def _conv_rate(conv: Conv, device: torch.device, dtype: torch.dtype) -> float:
    """Return the FLOP/s of the faster of a forward pass and a gradient of the weights."""
    size = (conv.images, conv.channels, conv.side, conv.side)
    x, y = (_numbers(size, device, dtype).contiguous(memory_format=conv.memory_format) for _ in range(2))
    weight = _numbers((conv.channels, conv.channels, 3, 3), device, dtype)
    weight = weight.contiguous(memory_format=conv.memory_format)
    place = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)  # stride, padding, dilation; not transposed; groups
    forward = partial(aten.convolution, x, weight, None, *place)
    backward = partial(aten.convolution_backward, y, x, weight, None, *place, [False, True, False])
    return conv.flops / min(fastest(run, device) for run in (forward, backward))


def _matrix_rate(side: int, device: torch.device, dtype: torch.dtype) -> float:
    a, b = (_numbers((side, side), device, dtype) for _ in range(2))
    return 2 * side**3 / fastest(partial(torch.mm, a, b), device)


def _numbers(size: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return normal numbers, because on zeros devices draw less power and clock higher."""
    return torch.randn(size, generator=torch.Generator(device).manual_seed(0), device=device).to(dtype)


def fastest(run: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the fastest of many runs, at least two: a first run, or other load, is slower."""
    until = time.perf_counter() + SECONDS
    best = min(_seconds(run, device), _seconds(run, device))
    while time.perf_counter() < until:
        best = min(best, _seconds(run, device))
    return best


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call, unused-ignore]
    first.record()
    run()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1000.0
