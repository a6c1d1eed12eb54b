"""An active convolution against torchvision's deform_conv2d with constant offsets and one grid_sample per tap.

Forward and backward (input, weight, positions) in training, positions moved; one thread, float32. The ways are
run in turn, each several times; the medians of process time and their ratios to ours are printed, and the plain
convolution's beside them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from genome.ops._active import Active

ROUNDS = 15
CASES = [
    (8, 64, 32, 64, 1),
    (32, 64, 32, 64, 1),
    (8, 16, 32, 48, 1),
    (8, 48, 32, 96, 2),
    (8, 96, 16, 96, 1),
    (8, 192, 8, 192, 1),
]


def taps(layer: Active) -> Tensor:
    """(dy, dx) of all nine taps, with a gradient. (9, 2)"""
    moved = layer.position.view(-1, 2)
    return torch.cat([moved[:4], torch.zeros(1, 2), moved[4:]])


def start() -> Tensor:
    """The conventional places. (9, 2)"""
    return torch.tensor([[y, x] for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)])


def by_torchvision(x: Tensor, layer: Active) -> Tensor:
    """Every pixel with the same offsets."""
    out = -(-x.shape[2] // layer.stride)
    offset = (taps(layer) - start()).view(1, 18, 1, 1).expand(x.shape[0], -1, out, out)
    made = deform_conv2d(x, offset, layer.weight, None, layer.stride, 1)
    assert isinstance(made, Tensor)
    return made


def by_grid_sample(x: Tensor, layer: Active) -> Tensor:
    """One sampling per tap, then one 1x1 convolution."""
    size = x.shape[2]
    at = torch.arange(0, size, layer.stride, dtype=x.dtype)
    read = []
    for place in taps(layer):
        down, across = ((2 * (at + d) + 1) / size - 1 for d in place)
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
        read.append(F.grid_sample(x, grid.expand(x.shape[0], -1, -1, -1), align_corners=False))
    columns = torch.stack(read, dim=2).flatten(1, 2)  # (B, C * 9, H', W')
    return F.conv2d(columns, layer.weight.flatten(1)[:, :, None, None])


def plain(x: Tensor, layer: Active) -> Tensor:
    """The ordinary convolution."""
    return F.conv2d(x, layer.weight, None, layer.stride, 1)


def ours(x: Tensor, layer: Active) -> Tensor:
    """The layer itself."""
    return layer(x)  # type: ignore[no-any-return]


WAYS: dict[str, Callable[[Tensor, Active], Tensor]] = {
    "ours": ours,
    "deform_conv2d": by_torchvision,
    "grid_sample": by_grid_sample,
    "plain 3x3": plain,
}


def seconds(way: Callable[[Tensor, Active], Tensor], x: Tensor, layer: Active) -> float:
    """Process time of one forward and backward."""
    layer.zero_grad()
    x.grad = None
    began = time.process_time()
    out = way(x, layer)
    out.backward(torch.ones_like(out))
    return time.process_time() - began


def compare(batch: int, channels: int, size: int, width: int, stride: int) -> dict[str, float]:
    """Median seconds of each way, after a look that all give the same."""
    layer = Active(channels, width, stride=stride, warmup=0)
    with torch.no_grad():
        layer.position += 0.6 * (2 * torch.rand_like(layer.position) - 1)
    x = torch.randn(batch, channels, size, size, requires_grad=True)
    for way in (by_torchvision, by_grid_sample):
        torch.testing.assert_close(way(x, layer), layer(x), rtol=1e-3, atol=1e-3)
    seen: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(ROUNDS + 2):
        for name, way in WAYS.items():
            spent = seconds(way, x, layer)
            if turn > 1:  # the first are warm-up
                seen[name].append(spent)
    return {name: statistics.median(times) for name, times in seen.items()}


def main() -> None:
    """Print a line per case."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("forward and backward, 3x3 taps moved by up to 0.6 pixels, one thread; times as many as ours")
    for batch, channels, size, width, stride in CASES:
        times = compare(batch, channels, size, width, stride)
        ratios = "   ".join(f"{name} {t / times['ours']:5.2f}" for name, t in times.items() if name != "ours")
        case = f"{batch}x{channels}x{size}x{size} -> {width}" + (f" / {stride}" if stride > 1 else "")
        print(f"{case:24} ours {1e3 * times['ours']:7.1f} ms   {ratios}")


if __name__ == "__main__":
    main()
