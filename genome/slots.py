"""The tensors of a network in the order of its plan, and the kernels of their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

from torch import Tensor, nn

from genome.op import Shape
from genome.ops._exit import Head
from genome.ops._kernels import Kernels
from genome.ops._modules import Gather
from genome.pour import COUNTERS, Slot
from genome.step import Step


def slots(steps: Sequence[Step], modules: Sequence[nn.Module]) -> Iterator[Slot]:
    """Each parameter and saved buffer once, without counters. modules: those of the steps."""
    seen: set[int] = set()
    for step, module in zip(steps, modules, strict=True):
        passes = [own for other, own in zip(steps, modules, strict=True) if other.node is step.node]
        for name, tensor in module.state_dict(keep_vars=True).items():
            owner, _, last = name.rpartition(".")
            if id(tensor) in seen or last in COUNTERS:
                continue
            seen.add(id(tensor))
            pieces = _pieces(step, passes, owner) if last == "weight" else {}
            yield Slot(step.node.name, step.turn, name, tensor.detach(), pieces)


def _pieces(step: Step, passes: Sequence[nn.Module], owner: str) -> Mapping[str, Tensor]:
    """Views of the kernels of several inputs of a layer; none where the layer reads one input, or no input at all."""
    layer, holder = (passes[0].get_submodule(name) for name in (owner, owner.rpartition(".")[0]))
    read = {source: shape for source, shape in zip(step.node.ins, step.ins, strict=True) if shape is not None}
    if isinstance(layer, Kernels):
        lengths = {i: n for part in passes for i, (_, n, _) in _kernels(part, owner).lengths.items()}
        sizes = {step.node.ins[i]: length for i, length in sorted(lengths.items())}
        return _split(layer.weight, sizes, layer.packed)
    if isinstance(layer, nn.Conv2d) and isinstance(holder, Gather):
        sizes = {source: shape.channels for source, shape in read.items()}
        return _split(layer.weight, sizes, 0 if layer.groups > 1 else 1)
    if isinstance(layer, nn.Linear) and isinstance(holder, Head):
        sizes = {source: _features(shape, holder) for source, shape in read.items()}
        return _split(layer.weight, sizes, 1)
    return {}


def _kernels(module: nn.Module, name: str) -> Kernels:
    found = module.get_submodule(name)
    assert isinstance(found, Kernels)
    return found


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
