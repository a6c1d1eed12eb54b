"""A fractal block against one convolution at a time, forward and backward in training mode.

The alternative is the block as its ports write it: every convolution runs alone with its batch norm and ReLU, joins
are `stack` and `mean`, and drop-path masks paths that all run. The alternative is measured twice: with the
convolution's own padding, and with zeros padded by a layer before the convolution, as in the port of khanrc. `mix` is
the published training: half of the mini-batches with local drop-path (0.15), half with one column of the whole network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import genome
from benchmarks._ports import FractalNet
from benchmarks._rounds import Way, compare, prepare, setting, training_step
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


STEPS = 20  # steps in a run with drop-path, because each step draws other paths and costs another time


def main() -> None:
    prepare()
    print(setting())
    for columns, channels, width, images, size in CASES:
        x = torch.randn(images, channels, size, size, requires_grad=True)
        others = {
            "one at a time": training_step(_plain(columns, width, x, 0.0), x),
            "zeros padded apart": training_step(_plain(columns, width, x, 0.0, padded=True), x),
        }
        found = compare(training_step(_ours(columns, width, x, 0.0), x), others)
        mix = compare(
            _drawn(_ours(columns, width, x, 0.15), x), {"mix": _drawn(_plain(columns, width, x, 0.15), x)}
        )
        print(f"{columns} columns, {channels} -> {width} channels, {images} x {size}x{size}")
        for name, one in {**found, **mix}.items():
            print(f"  {name:20}{one}", flush=True)


def _drawn(module: nn.Module, x: Tensor) -> Way:
    """Return steps that draw the same paths in every run."""
    step = training_step(module, x)

    def way() -> None:
        torch.manual_seed(0)
        for _ in range(STEPS):
            step()

    return way


def _ours(columns: int, width: int, x: Tensor, rate: float) -> nn.Module:
    op = genome.lookup("fractal")(columns=columns, drop_path=rate, whole=0.5 if rate else 0.0)
    nodes = (Node("f", op, ("image",), width), Node("out", genome.lookup("exit")(), ("f",)))
    return genome.build(Genome("block", Shape(*x.shape[1:]), 10, nodes))


def _plain(columns: int, width: int, x: Tensor, rate: float, padded: bool = False) -> nn.Module:
    _, channels, height, across = x.shape
    image = (channels, height, across)
    return FractalNet(columns, [width], image, rate, padded=padded, pool=False)


if __name__ == "__main__":
    main()
