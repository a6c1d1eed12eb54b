"""A fractal block against one convolution at a time, forward and backward in training mode.

The alternative is the block as its ports write it: every convolution by itself with its batch norm and ReLU,
joins by `stack` and `mean`, drop-path by masks over paths that are all run; once with the convolution's own
padding, once with zeros padded by a layer before it, as in the port of khanrc. `mix` is the published training:
half of the mini-batches with local drop-path (0.15), half with one column of the whole network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import genome
from benchmarks._pairs import prepare, ratios, seconds, training_step
from genome.graph import Genome, Node
from genome.op import Shape

CASES = [
    (2, 16, 32, 16, 16),
    (3, 16, 32, 16, 16),
    (4, 16, 32, 16, 16),
    (4, 8, 16, 8, 8),
    (3, 16, 16, 64, 8),
    (4, 64, 128, 8, 8),
    (4, 128, 256, 8, 4),
]


class Unit(nn.Sequential):
    def __init__(self, channels: int, width: int, padded: bool) -> None:
        conv = nn.Conv2d(channels, width, 3, padding=0 if padded else 1, bias=False)
        zeros = nn.ZeroPad2d(1) if padded else nn.Identity()
        super().__init__(zeros, conv, nn.BatchNorm2d(width), nn.ReLU())


class Plain(nn.Module):
    """The block written out, column by column and step by step."""

    def __init__(self, columns: int, channels: int, width: int, rate: float, padded: bool) -> None:
        super().__init__()
        self.rate = rate
        self.columns = nn.ModuleList()
        for c in range(columns):
            self.columns.append(
                nn.ModuleList(Unit(channels if i == 0 else width, width, padded) for i in range(1 << c))
            )

    def forward(self, x: Tensor) -> Tensor:
        count = len(self.columns)
        heads = [x] * count
        whole = self.rate > 0 and torch.rand(()).item() < 0.5
        column = int(torch.rand(()).item() * count)
        for step in range(1, (1 << (count - 1)) + 1):
            for c in range(count):
                before, inside = divmod(step - 1, 1 << (count - 1 - c))
                if not inside:
                    heads[c] = self.columns[c][before](heads[c])
            ending = [c for c in range(count) if step % (1 << (count - 1 - c)) == 0]
            if len(ending) > 1:
                joined = self.join(torch.stack([heads[c] for c in ending]), ending, column if whole else None)
                for c in ending:
                    heads[c] = joined
        return heads[-1]

    def join(self, maps: Tensor, ending: list[int], column: int | None) -> Tensor:
        if not self.rate:
            return maps.mean(0)
        if column is not None:
            keep = torch.tensor([float(c == max(column, ending[0])) for c in ending])
        else:
            keep = (torch.rand(len(ending)) >= self.rate).float()
            keep[int(torch.rand(()).item() * len(ending))] += float(keep.sum() == 0)
        return (maps * keep.view(-1, 1, 1, 1, 1)).sum(0) / keep.sum()


def main() -> None:
    prepare()
    print("columns  channels    images        against one at a time   with zeros padded apart   mix")
    for columns, channels, width, images, size in CASES:
        x = torch.randn(images, channels, size, size, requires_grad=True)
        plain, padded = _ratios(columns, channels, width, x)
        mix = _mix(columns, channels, width, x)
        place = f"{columns:<8} {channels:>3} -> {width:<4} {images:>2} x {size:>2}x{size:<2}"
        print(f"{place} {plain:>18.2f}x {padded:>24.2f}x {mix:>12.2f}x")


def _ours(columns: int, width: int, x: Tensor, rate: float) -> nn.Module:
    op = genome.lookup("fractal")(columns=columns, drop_path=rate, whole=0.5 if rate else 0.0)
    nodes = (Node("f", op, ("image",), width), Node("out", genome.lookup("exit")(), ("f",)))
    return genome.build(Genome("block", Shape(*x.shape[1:]), 10, nodes))


def _plain(columns: int, width: int, x: Tensor, rate: float, padded: bool = False) -> nn.Module:
    block = Plain(columns, x.shape[1], width, rate, padded)
    return nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _ratios(columns: int, channels: int, width: int, x: Tensor) -> list[float]:
    others = [_plain(columns, width, x, 0.0, padded) for padded in (False, True)]
    return ratios(training_step(_ours(columns, width, x, 0.0), x), [training_step(o, x) for o in others])


def _mix(columns: int, channels: int, width: int, x: Tensor, steps: int = 120) -> float:
    """The ratio of the sums: what a step costs is drawn anew each time."""
    ours = training_step(_ours(columns, width, x, 0.15), x)
    plain = training_step(_plain(columns, width, x, 0.15), x)
    spent = [(seconds(ours), seconds(plain)) for _ in range(steps)]
    return sum(b for _, b in spent) / sum(a for a, _ in spent)


if __name__ == "__main__":
    main()
