"""An active convolution against torchvision's deform_conv2d with constant offsets and one grid_sample per tap.

Forward and backward (input, weight, positions) in training with moved positions; one thread, float32. The ways run in
mirrored rounds. The table shows the medians of the ratios of process time to ours, and the ratio of the plain
convolution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks._ports import by_grid_sample, by_torchvision
from benchmarks._rounds import compare, prepare, setting
from genome.ops._active import Active

CASES = [
    (8, 64, 32, 64, 1),
    (32, 64, 32, 64, 1),
    (8, 16, 32, 48, 1),
    (8, 48, 32, 96, 2),
    (8, 96, 16, 96, 1),
    (8, 192, 8, 192, 1),
]


def plain(x: Tensor, layer: Active) -> Tensor:
    """Run the plain convolution."""
    return F.conv2d(x, layer.weight, None, layer.stride, 1)


def ours(x: Tensor, layer: Active) -> Tensor:
    """Run the layer itself."""
    return layer(x)  # type: ignore[no-any-return]


def training(way: Callable[[Tensor, Active], Tensor], x: Tensor, layer: Active) -> Callable[[], None]:
    """Return a step of one forward and one backward."""

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        out = way(x, layer)
        out.backward(torch.ones_like(out))

    return step


OTHERS = {"deform_conv2d": by_torchvision, "grid_sample": by_grid_sample, "plain 3x3": plain}


def report(batch: int, channels: int, size: int, width: int, stride: int) -> None:
    """Print a line for each other way, after a check that the active convolutions give the same result."""
    layer = Active(channels, width, stride=stride, warmup=0)
    with torch.no_grad():
        layer.position += 0.6 * (2 * torch.rand_like(layer.position) - 1)
    x = torch.randn(batch, channels, size, size, requires_grad=True)
    for way in (by_torchvision, by_grid_sample):
        torch.testing.assert_close(way(x, layer), layer(x), rtol=1e-3, atol=1e-3)
    others = {name: training(way, x, layer) for name, way in OTHERS.items()}
    print(f"{batch}x{channels}x{size}x{size} -> {width}" + (f" / {stride}" if stride > 1 else ""))
    for name, found in compare(training(ours, x, layer), others).items():
        print(f"  {name:16}{found}", flush=True)


def main() -> None:
    prepare()
    print(setting())
    print("forward and backward, 3x3 taps moved by up to 0.6 pixels; times as many as ours")
    for case in CASES:
        report(*case)


if __name__ == "__main__":
    main()
