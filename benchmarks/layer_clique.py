"""A clique block against the chain of concatenations, forward and backward in training mode.

The alternative is written as the authors' code does it: one filter for each ordered pair of nodes, put together
by a chain of `cat` for every node and stage, as are the values that it reads. Both do the same arithmetic; the
script checks that in float64 and counts torch's operations, which no load of the machine changes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import genome
from benchmarks._pairs import prepare, ratios, training_step
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


class Chain(nn.Module):
    """The block as published: stage I feeds forward, stage II re-reads all other nodes with the same filters."""

    def __init__(self, channels: int, width: int, nodes: int) -> None:
        super().__init__()
        self.nodes = range(1, nodes + 1)
        sizes = {0: channels, **dict.fromkeys(self.nodes, width)}
        self.filters = nn.ParameterDict(
            {
                f"{i}_{j}": nn.Parameter(torch.randn(width, sizes[i], 3, 3) * 0.05)
                for i in (0, *self.nodes)
                for j in self.nodes
                if i != j
            }
        )
        self.first = nn.ModuleList(nn.BatchNorm2d(channels + i * width) for i in range(nodes))
        self.second = nn.ModuleList(nn.BatchNorm2d((nodes - 1) * width) for _ in self.nodes)

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for j, norm in zip(self.nodes, self.first, strict=True):
            values[j] = self.node(values, [*range(j)], j, norm)
        for j, norm in zip(self.nodes, self.second, strict=True):
            values[j] = self.node(values, [i for i in self.nodes if i != j], j, norm)
        out = values[1]
        for j in self.nodes[1:]:
            out = torch.cat((out, values[j]), dim=1)
        return out

    def node(self, values: dict[int, Tensor], reads: list[int], j: int, norm: nn.Module) -> Tensor:
        value, weight = values[reads[0]], self.filters[f"{reads[0]}_{j}"]
        for i in reads[1:]:
            value = torch.cat((value, values[i]), dim=1)
            weight = torch.cat((weight, self.filters[f"{i}_{j}"]), dim=1)
        return F.conv2d(F.relu(norm(value)), weight, padding=1)


def ours(channels: int, width: int, nodes: int, size: int) -> nn.Module:
    op = genome.lookup("clique")(nodes=nodes)
    graph = (Node("b", op, ("image",), width), Node("out", genome.lookup("exit")(), ("b",)))
    return genome.build(Genome("block", Shape(channels, size, size), 10, graph))


def same_weights(network: nn.Module, block: Chain) -> None:
    """Give the chain the weights of the network."""
    state = network.state_dict()
    for j in block.nodes:
        others = [i for i in (0, *block.nodes) if i != j]
        packed = state[f"nodes.b/{j}.conv.weight"]
        parts = torch.split(packed, [block.filters[f"{i}_{j}"].shape[1] for i in others], dim=1)
        for i, part in zip(others, parts, strict=True):
            block.filters[f"{i}_{j}"].data.copy_(part)


class Counted(TorchDispatchMode):
    """How many torch operations were called."""

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
    print(
        "channels  nodes   images      contiguous   channels_last   operations (theirs)   largest difference"
    )
    for channels, width, nodes, images, size in CASES:
        network, block = ours(channels, width, nodes, size), Chain(channels, width, nodes)
        same_weights(network, block)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.nodes["out"].linear)
        plain = nn.Sequential(block, *head)
        x = torch.randn(images, channels, size, size, requires_grad=True)
        near = _difference(network, plain, x)
        mine, theirs = training_step(network, x), training_step(plain, x)
        found = ratios(mine, [theirs])[0]
        ops = calls(mine), calls(theirs)
        last = network.to(memory_format=torch.channels_last)
        nhwc = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        turned = ratios(training_step(last, nhwc), [theirs])[0]
        place = f"{channels:>3} {width:>3} {nodes:>8}   {images:>2} x {size:>2}x{size:<2}"
        print(f"{place} {found:>10.2f}x {turned:>14.2f}x {ops[0]:>12} ({ops[1]}) {near:>24.1e}")


def _difference(network: nn.Module, plain: nn.Module, x: Tensor) -> float:
    """Of the logits and the input's gradient, in float64."""
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
