"""A clique block against the chain of concatenations, forward and backward in training mode.

The alternative follows the authors' code: each ordered pair of nodes has one filter, and a chain of `cat` joins the
filters, and the values that a node reads, for every node and stage. Both do the same arithmetic. The script checks
this in float64, and counts torch's operations, a number that no load of the machine changes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import genome
from benchmarks._ports import Clique
from benchmarks._rounds import compare, prepare, setting, training_step
from genome.graph import Genome, Node
from genome.op import Shape

CASES = [  # channels in, channels of a node, nodes, images, pixels a side
    (64, 36, 4, 8, 16),
    (64, 12, 12, 8, 16),
    (64, 12, 12, 2, 8),
    (64, 64, 5, 4, 16),
    (320, 64, 5, 4, 8),
    (24, 8, 4, 4, 8),
]


def ours(channels: int, width: int, nodes: int, size: int) -> nn.Module:
    op = genome.lookup("clique")(nodes=nodes)
    graph = (Node("b", op, ("image",), width), Node("out", genome.lookup("exit")(), ("b",)))
    return genome.build(Genome("block", Shape(channels, size, size), 10, graph))


class Counted(TorchDispatchMode):
    """Counts the torch operations that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.calls += "view" not in str(func) and "detach" not in str(func) and "split" not in str(func)
        return func(*args, **(kwargs or {}))


def calls(step: object) -> int:
    with Counted() as counted:
        step()  # type: ignore[operator]
    return counted.calls


def main() -> None:
    prepare()
    print(setting())
    print("channels, nodes, images: operations (theirs), largest difference; the chain's time over ours")
    for channels, width, nodes, images, size in CASES:
        network, block = ours(channels, width, nodes, size), Clique(channels, width, nodes)
        block.take(network, "b")
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.node("out").linear)
        plain = nn.Sequential(block, *head)
        x = torch.randn(images, channels, size, size, requires_grad=True)
        near = _difference(network, plain, x)
        mine, theirs = training_step(network, x), training_step(plain, x)
        ops = calls(mine), calls(theirs)
        print(f"{channels} {width} {nodes}, {images} x {size}x{size}: {ops[0]} ({ops[1]}), {near:.0e}")
        print(f"  contiguous     {compare(mine, {'chain': theirs})['chain']}")
        last = network.to(memory_format=torch.channels_last)
        nhwc = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        print(
            f"  channels_last  {compare(training_step(last, nhwc), {'chain': theirs})['chain']}", flush=True
        )


def _difference(network: nn.Module, plain: nn.Module, x: Tensor) -> float:
    """Return the largest difference of the logits and of the input's gradient, in float64."""
    results = []
    for module in (network.double().train(), plain.double().train()):
        image = x.detach().double().requires_grad_()
        out = module(image)
        out = out[0] if isinstance(out, tuple) else out
        out.square().sum().backward()
        results.append((out, image.grad))
    network.float(), plain.float()
    return max((a - b).detach().abs().max().item() for a, b in zip(*results, strict=True))


if __name__ == "__main__":
    main()
