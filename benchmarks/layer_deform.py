"""A deformable convolution on the CPU against torchvision's kernel, in the same layer.

Forward and backward (input, weight, offset convolution) in training with offsets of about half a pixel; one
thread, float32. The two run in mirrored rounds. The table shows the median of the ratios of process time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._rounds import compare, prepare, setting
from genome.ops._deform import Deform

CASES = [
    (4, 64, 32, 64, 1, 1, "none"),
    (4, 64, 32, 64, 1, 1, "unit"),
    (4, 64, 32, 64, 1, 4, "unit"),
    (8, 16, 32, 48, 1, 1, "none"),
    (8, 48, 32, 96, 2, 1, "unit"),
    (8, 192, 8, 192, 1, 1, "unit"),
]


def torchvisions(layer: Deform) -> Callable[[Tensor], Tensor]:
    """Return the layer with torchvision's kernel behind the same offsets."""

    def run(x: Tensor) -> Tensor:
        given = layer._given(x)
        return layer._torchvision(x, given[:, : layer.offsets], layer._mask(given), x.dtype)

    return run


def training(way: Callable[[Tensor], Tensor], x: Tensor, layer: Deform) -> Callable[[], None]:
    """Return a step of one forward and one backward."""

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        out = way(x)
        out.backward(torch.ones_like(out))

    return step


def report(batch: int, channels: int, size: int, width: int, stride: int, groups: int, mask: str) -> None:
    """Print a line, after a check that both give the same result."""
    layer = Deform(channels, width, stride=stride, groups=groups, modulation=mask)
    with torch.no_grad():
        layer.offset.weight.normal_(0.0, 0.5 / (9 * channels) ** 0.5)
    x = torch.randn(batch, channels, size, size, requires_grad=True)
    theirs = torchvisions(layer)
    torch.testing.assert_close(layer(x), theirs(x), rtol=1e-3, atol=1e-3)
    found = compare(training(layer, x, layer), {"torchvision": training(theirs, x, layer)})["torchvision"]
    case = f"{batch}x{channels}x{size}x{size} -> {width}" + (f" / {stride}" if stride > 1 else "")
    print(f"{case:24} groups {groups}, modulation {mask:5} {found}", flush=True)


def main() -> None:
    prepare()
    print(setting())
    print("forward and backward, 3x3, CPU; torchvision's time over ours")
    for case in CASES:
        report(*case)


if __name__ == "__main__":
    main()
