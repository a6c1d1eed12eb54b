"""Function-preserving initialisation of nodes that are added to a trained network.

A node that replaces a source starts as the identity (Net2Net: Chen et al., ICLR 2016, arXiv:1511.05641). A branch that
is added to a sum starts at zero (network morphism: Wei et al., ICML 2016, arXiv:1603.01670), by the scale of its last
norm (as Goyal et al., arXiv:1706.02677).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch
from torch import nn

from genome.network import Network, unwrapped
from genome.ops._active import Active
from genome.ops._deform import Deform
from genome.ops._joins import Join
from genome.ops._kernels import Kernels
from genome.plan import Plan
from genome.step import Step

# by reader: the new sources and the sources that they replace
Replaced: TypeAlias = Mapping[str, Mapping[str, str]]

CONVOLUTIONS = (nn.Conv2d, Kernels, Active, Deform)
ZERO_WITH_SLOPE = (nn.SiLU, nn.GELU, nn.LeakyReLU)  # 0 at 0, with a gradient there
IDENTITIES = (nn.Dropout, nn.Identity, nn.ZeroPad2d)  # the identity in evaluation, apart from padding
RECTIFIERS = (nn.ReLU, nn.ReLU6)
KEEPS_SIGN = ("pool", "concat", "dropout", "squeeze")


@torch.no_grad()
def initialise_added(child: Plan, network: Network, parent: Plan, replaced: Replaced) -> None:
    """Initialise the nodes that the parent does not have, where the function can be preserved; others stay random.

    A node with one input that replaces a source, as at the end of a longer stack, becomes the identity. It must keep
    the shape and have only convolutions, batch norms and ReLUs that cut nothing off. A new branch of a sum gives zero,
    unless it ends with a ReLU, which would have no gradient.
    """
    before, now = _first(parent), _first(child)
    modules = {step.node.name: module for step, module in _modules(child, network) if not step.turn}
    inserted = _inserted(now, before, replaced)
    for name, step in now.items():
        if isinstance(join := unwrapped(modules[name]), Join) and step.node.op.word == "add":
            for place in _branches(step, before, replaced) if name in before or name in inserted else ():
                source = step.node.ins[place]
                if not _zero_output(join.edges[str(place)]) and source in modules and source not in before:
                    _zero_output(modules[source])
        elif name in inserted and step.ins == (step.info.out,):
            _make_identity(
                modules[name], step.info.out.channels, _is_rectified(step.node.ins[0], now, modules)
            )


def _first(plan: Plan) -> dict[str, Step]:
    return {step.node.name: step for step in plan.steps if not step.turn}


def _modules(plan: Plan, network: Network) -> Iterator[tuple[Step, nn.Module]]:
    return zip(plan.steps, network.nodes.values(), strict=True)


def _inserted(now: Mapping[str, Step], before: Mapping[str, Step], replaced: Replaced) -> set[str]:
    """The new nodes on the main path between a source and its former readers. Of a sum only the last input is on it."""
    ends = {new for pairs in replaced.values() for new, gone in pairs.items() if gone in now}
    found: set[str] = set()
    for name, step in reversed([*now.items()]):
        if name in ends:
            found.add(name)
        if name in found:
            found.update(step.node.ins[-1:] if step.node.op.word == "add" else step.node.ins)
    return found - set(before)


def _branches(step: Step, before: Mapping[str, Step], replaced: Replaced) -> list[int]:
    """The positions of a sum's new inputs, or of all inputs but the last if the sum itself is new."""
    name, ins = step.node.name, step.node.ins
    if name not in before:
        return [*range(len(ins) - 1)]
    known = {*before[name].node.ins, *replaced.get(name, ())}
    return [
        place for place, source in enumerate(ins) if source not in known and step.sources[place] is not None
    ]


def _layers(module: nn.Module) -> list[nn.Module]:
    """The layers of a module in sequence."""
    module = unwrapped(module)
    return [p for part in module for p in _layers(part)] if isinstance(module, nn.Sequential) else [module]


def _zero_output(module: nn.Module) -> bool:
    """Set the weight of the last norm or convolution to zero, if it then has a gradient. Returns whether it has."""
    for part in reversed(_layers(module)):
        is_scale = isinstance(part, nn.BatchNorm2d | nn.GroupNorm) and part.affine
        if is_scale or isinstance(part, CONVOLUTIONS):
            part.get_parameter("weight").zero_()
            return True
        if not isinstance(part, (*ZERO_WITH_SLOPE, nn.Dropout)):
            return False
    return False


def _is_rectified(name: str, now: Mapping[str, Step], modules: Mapping[str, nn.Module]) -> bool:
    """Whether the output of a node is never negative."""
    if name not in now:
        return False  # the image
    last = _layers(modules[name])[-1]
    if isinstance(last, RECTIFIERS) or (isinstance(last, Join) and isinstance(last.after, RECTIFIERS)):
        return True
    keeps = now[name].node.op.word in KEEPS_SIGN
    return keeps and all(_is_rectified(source, now, modules) for source in now[name].node.ins)


def _make_identity(module: nn.Module, channels: int, rectified: bool) -> None:
    """Make the module the identity, if all its layers can be."""
    layers = _layers(module)
    allowed = IDENTITIES + (RECTIFIERS if rectified else ())
    if not all(isinstance(part, allowed) or _can_be_identity(part, channels) for part in layers):
        return
    for part in layers:
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_var is not None
            if part.affine:
                part.weight.copy_((part.running_var + part.eps).sqrt())
        elif isinstance(part, CONVOLUTIONS):
            part.weight.zero_()
            _, inside, rows, columns = part.weight.shape
            for channel in range(channels):
                part.weight[channel, channel % inside, (rows - 1) // 2, (columns - 1) // 2] = 1.0


def _can_be_identity(part: nn.Module, channels: int) -> bool:
    """Whether the layer can be the identity."""
    if isinstance(part, Deform) and part.modulation == "half":
        return False
    return isinstance(part, nn.BatchNorm2d) or (
        isinstance(part, CONVOLUTIONS) and len(part.weight) == channels
    )
