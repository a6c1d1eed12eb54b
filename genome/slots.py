"""The tensors of a network in the order of its plan, and the kernels of their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

from torch import Tensor, nn

from genome.op import Shape
from genome.ops._exit import Head
from genome.ops._kernels import Kernels
from genome.ops._modules import Gather
from genome.pour import COUNTERS, Slot
from genome.step import Step

Passes: TypeAlias = Sequence[tuple[Step, nn.Module]]  # the steps of a node with their modules


def slots(steps: Sequence[Step], modules: Sequence[nn.Module]) -> Iterator[Slot]:
    """Each parameter and saved buffer once, without counters. modules: those of the steps."""
    seen: set[int] = set()
    passes: dict[str, list[tuple[Step, nn.Module]]] = {}
    for step, module in zip(steps, modules, strict=True):
        passes.setdefault(step.node.name, []).append((step, module))
    for step, module in zip(steps, modules, strict=True):
        for name, tensor in module.state_dict(keep_vars=True).items():
            owner, _, last = name.rpartition(".")
            if id(tensor) in seen or last in COUNTERS:
                continue
            seen.add(id(tensor))
            pieces = _pieces(passes[step.node.name], owner, tensor) if last == "weight" else {}
            yield Slot(step.node.name, step.turn, name, tensor.detach(), pieces)


def kernel(steps: Sequence[Step], modules: Sequence[nn.Module], source: str, tensor: str | None) -> Tensor:
    """The kernel over one input of a node. steps, modules: the passes of the node.

    Raises:
        KeyError: as `Network.kernel`.
    """
    found = {slot.name: slot.pieces for slot in slots(steps, modules) if slot.pieces}
    name, choices = steps[0].node.name, " or ".join(found)
    if not found:
        raise KeyError(f"{name} has no kernel over several inputs; net.node({name!r}) has its tensors")
    if tensor is None and len(found) > 1:
        raise KeyError(f"{name} has {len(found)} kernels over its inputs; name one: {choices}")
    pieces = found.get(next(iter(found)) if tensor is None else tensor)
    if pieces is None:
        raise KeyError(f"{name} has no kernel {tensor} over several inputs; it has {choices}")
    if source not in pieces:
        raise KeyError(f"{name} does not read {source}; it reads {', '.join(pieces)}")
    return pieces[source]


def _pieces(passes: Passes, owner: str, weight: Tensor) -> Mapping[str, Tensor]:
    """Views of the kernels of several inputs of a layer; none where the layer reads one input, or no input at all.

    A pass of a loop may read some of the inputs, and has no layer for the edges of the others.
    """
    lengths: dict[int, int] = {}
    dim = 1
    for step, module in passes:
        parts = dict(module.named_modules())
        layer, holder = parts.get(owner), parts.get(owner.rpartition(".")[0])
        read = {i: shape for i, shape in enumerate(step.ins) if shape is not None}
        if isinstance(layer, Kernels):
            lengths |= {i: length for i, (_, length, _) in layer.lengths.items()}
            dim = layer.packed
        elif isinstance(layer, nn.Conv2d) and isinstance(holder, Gather):
            lengths |= {i: shape.channels for i, shape in read.items()}
            dim = 0 if layer.groups > 1 else 1
        elif isinstance(layer, nn.Linear) and isinstance(holder, Head):
            lengths |= {i: _features(shape, holder) for i, shape in read.items()}
    ins = passes[0][0].node.ins
    return _split(weight, {ins[i]: length for i, length in sorted(lengths.items())}, dim)


def _features(shape: Shape, head: Head) -> int:
    return shape.channels if head.average else shape.size


def _split(weight: Tensor, sizes: Mapping[str, int], dim: int) -> dict[str, Tensor]:
    """Views of the parts of a weight that belong to several inputs."""
    places = pairwise(accumulate(sizes.values(), initial=0))
    views = {
        source: weight.detach().narrow(dim, start, stop - start)
        for source, (start, stop) in zip(sizes, places, strict=True)
    }
    return views if len(views) > 1 else {}
