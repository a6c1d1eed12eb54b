"""Starts of nodes that were added to a trained network, such that it goes on computing what it did: what takes the
place of a source begins as the identity (Net2Net: Chen et al., ICLR 2016, arXiv:1511.05641), what is added to a sum
begins as zero (network morphism: Wei et al., ICML 2016, arXiv:1603.01670; by the last norm's scale, as Goyal et al.,
arXiv:1706.02677)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch
from torch import nn

from genome.network import Concatenated, Fitted, Network
from genome.ops._active import Active
from genome.ops._deform import Deform
from genome.ops._joins import Join
from genome.ops._kernels import Kernels
from genome.plan import Plan
from genome.step import Step

# by the reader that both have: the sources that took the place of others
Replaced: TypeAlias = Mapping[str, Mapping[str, str]]

CONVOLUTIONS = (nn.Conv2d, Kernels, Active, Deform)
SMOOTH = (nn.SiLU, nn.GELU, nn.LeakyReLU)  # zero at zero, and not flat there
STILL = (nn.Dropout, nn.Identity, nn.ZeroPad2d)  # change nothing in evaluation
RECTIFIERS = (nn.ReLU, nn.ReLU6)
SIGNED_AS_READ = ("pool", "concat", "dropout", "squeeze")


@torch.no_grad()
def start(child: Plan, network: Network, parent: Plan, replaced: Replaced) -> None:
    """Set the weights of nodes that the parent does not have, where there is such a start; others stay as drawn.

    In the place of a source, as at the end of a longer stack, a node of one input becomes the identity where it keeps
    the shape, has only convolutions, batch norms and ReLUs, and no ReLU cuts anything off. In a sum, new or grown,
    a branch that is new gives zero; not one that ends with a ReLU, which would never leave zero.
    """
    before, now = _first(parent), _first(child)
    modules = {step.node.name: module for step, module in _modules(child, network) if not step.turn}
    series = _series(now, before, replaced)
    for name, step in now.items():
        if isinstance(join := _bare(modules[name]), Join) and step.node.op.word == "add":
            for place in _branches(step, before, replaced) if name in before or name in series else ():
                source = step.node.ins[place]
                if not _silence(join.edges[str(place)]) and source in modules and source not in before:
                    _silence(modules[source])
        elif name in series and step.ins == (step.info.out,):
            _open(modules[name], step.info.out.channels, _is_rectified(step.node.ins[0], now, modules))


def _first(plan: Plan) -> dict[str, Step]:
    return {step.node.name: step for step in plan.steps if not step.turn}


def _modules(plan: Plan, network: Network) -> Iterator[tuple[Step, nn.Module]]:
    return zip(plan.steps, network.nodes.values(), strict=True)


def _series(now: Mapping[str, Step], before: Mapping[str, Step], replaced: Replaced) -> set[str]:
    """New nodes between a source and the readers that it had: what took its place, and what only leads there; of
    a sum the last input is on the way, the others are branches."""
    ends = {new for pairs in replaced.values() for new, gone in pairs.items() if gone in now}
    found: set[str] = set()
    for name, step in reversed([*now.items()]):
        if name in ends:
            found.add(name)
        if name in found:
            found.update(step.node.ins[-1:] if step.node.op.word == "add" else step.node.ins)
    return found - set(before)


def _branches(step: Step, before: Mapping[str, Step], replaced: Replaced) -> list[int]:
    """Places of a sum's inputs that it did not have; all but the last of a new sum."""
    name, ins = step.node.name, step.node.ins
    if name not in before:
        return [*range(len(ins) - 1)]
    known = {*before[name].node.ins, *replaced.get(name, ())}
    return [
        place for place, source in enumerate(ins) if source not in known and step.sources[place] is not None
    ]


def _bare(module: nn.Module) -> nn.Module:
    return module.node if isinstance(module, Fitted | Concatenated) else module


def _row(module: nn.Module) -> list[nn.Module]:
    """What runs one after the other."""
    module = _bare(module)
    return [p for part in module for p in _row(part)] if isinstance(module, nn.Sequential) else [module]


def _silence(module: nn.Module) -> bool:
    """Let it give zero, by its last norm or convolution, where it can leave zero again. Whether that was so."""
    for part in reversed(_row(module)):
        is_scale = isinstance(part, nn.BatchNorm2d | nn.GroupNorm) and part.affine
        if is_scale or isinstance(part, CONVOLUTIONS):
            part.get_parameter("weight").zero_()
            return True
        if not isinstance(part, (*SMOOTH, nn.Dropout)):
            return False
    return False


def _is_rectified(name: str, now: Mapping[str, Step], modules: Mapping[str, nn.Module]) -> bool:
    """Whether what a node gives is never negative."""
    if name not in now:
        return False  # the image
    last = _row(modules[name])[-1]
    if isinstance(last, RECTIFIERS) or (isinstance(last, Join) and isinstance(last.after, RECTIFIERS)):
        return True
    keeps = now[name].node.op.word in SIGNED_AS_READ
    return keeps and all(_is_rectified(source, now, modules) for source in now[name].node.ins)


def _open(module: nn.Module, channels: int, rectified: bool) -> None:
    """Let it give what it takes, where all its parts can."""
    row = _row(module)
    still = STILL + (RECTIFIERS if rectified else ())
    if not all(isinstance(part, still) or _passes(part, channels) for part in row):
        return
    for part in row:
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_var is not None
            if part.affine:
                part.weight.copy_((part.running_var + part.eps).sqrt())
        elif isinstance(part, CONVOLUTIONS):
            part.weight.zero_()
            inside, centre = part.weight.shape[1], (part.weight.shape[2] - 1) // 2
            for channel in range(channels):
                part.weight[channel, channel % inside, centre, centre] = 1.0


def _passes(part: nn.Module, channels: int) -> bool:
    """Whether it can give what it takes."""
    if isinstance(part, Deform) and part.modulation == "half":
        return False
    return isinstance(part, nn.BatchNorm2d) or (
        isinstance(part, CONVOLUTIONS) and len(part.weight) == channels
    )
