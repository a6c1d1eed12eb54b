"""A deformable convolution on the CPU against torchvision's kernel, in the same layer.

Forward and backward (input, weight, offset convolution) in training with offsets of about half a pixel; one
thread, float32. The two are run in turn, each several times; the medians of process time and their ratio are
printed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from genome.ops._deform import Deform

ROUNDS = 9
CASES = [
    (4, 64, 32, 64, 1, 1, "none"),
    (4, 64, 32, 64, 1, 1, "unit"),
    (4, 64, 32, 64, 1, 4, "unit"),
    (8, 16, 32, 48, 1, 1, "none"),
    (8, 48, 32, 96, 2, 1, "unit"),
    (8, 192, 8, 192, 1, 1, "unit"),
]


def torchvisions(layer: Deform) -> Callable[[Tensor], Tensor]:
    """The layer with torchvision's kernel behind the same offsets."""

    def run(x: Tensor) -> Tensor:
        given = layer._given(x)
        return layer._torchvision(x, given[:, : layer.offsets], layer._mask(given), x.dtype)

    return run


def seconds(way: Callable[[Tensor], Tensor], x: Tensor, layer: Deform) -> float:
    """Process time of one forward and backward."""
    layer.zero_grad()
    x.grad = None
    began = time.process_time()
    out = way(x)
    out.backward(torch.ones_like(out))
    return time.process_time() - began


def compare(
    batch: int, channels: int, size: int, width: int, stride: int, groups: int, mask: str
) -> list[float]:
    """Median seconds of ours and of torchvision's kernel, after a look that both give the same."""
    layer = Deform(channels, width, stride=stride, groups=groups, modulation=mask)
    with torch.no_grad():
        layer.offset.weight.normal_(0.0, 0.5 / (9 * channels) ** 0.5)
    x = torch.randn(batch, channels, size, size, requires_grad=True)
    ways = [layer, torchvisions(layer)]
    torch.testing.assert_close(ways[0](x), ways[1](x), rtol=1e-3, atol=1e-3)
    seen: list[list[float]] = [[], []]
    for turn in range(ROUNDS + 1):
        for times, way in zip(seen, ways, strict=True):
            spent = seconds(way, x, layer)
            if turn > 0:  # the first is warm-up
                times.append(spent)
    return [statistics.median(times) for times in seen]


def main() -> None:
    """Print a line per case."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("forward and backward, 3x3, one thread, CPU")
    for batch, channels, size, width, stride, groups, mask in CASES:
        ours, theirs = compare(batch, channels, size, width, stride, groups, mask)
        case = f"{batch}x{channels}x{size}x{size} -> {width}" + (f" / {stride}" if stride > 1 else "")
        print(
            f"{case:24} groups {groups}, modulation {mask:5} ours {1e3 * ours:7.1f} ms   "
            f"torchvision {1e3 * theirs:7.1f} ms   {theirs / ours:5.2f} times as long"
        )


if __name__ == "__main__":
    main()
