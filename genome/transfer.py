"""transfer: weight inheritance, from a parent network to a child network that was made from it.

Tensors are matched by the names of nodes and the labels of channels (see `genome.tensor_axes`), so that a channel keeps
its weights when added or removed edges shift its index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from genome.build import build
from genome.channels import gathered, read, replacing
from genome.morphism import initialise_added
from genome.network import Network
from genome.plan import Plan
from genome.tensor_axes import Address, Axis, LabelledTensor, labelled_tensors

Pair: TypeAlias = tuple[list[int], list[int]]  # matching indices of an axis, in child and parent


class Inherited(NamedTuple):
    """How much a child inherited."""

    whole: int  # tensors copied whole
    sliced: int  # tensors copied in part
    fresh: int  # tensors without any number of the parent
    share: float  # the share of the child's parameters that are copied


class Taken(NamedTuple):
    """One tensor of the child after the transfer."""

    part: LabelledTensor
    parent: LabelledTensor | None  # the matching tensor of the parent
    numbers: int  # how many numbers were copied from it

    @property
    def is_whole(self) -> bool:
        return (
            self.parent is not None and self.numbers == self.part.tensor.numel() == self.parent.tensor.numel()
        )


def transfer(parent: Plan, weights: Mapping[str, Tensor], child: Plan, network: Network) -> Inherited:
    """Copy the weights of `parent` into the network of `child`, in place.

    A node with the name and type of a parent's node copies its tensors. If the widths differ, the last channels are
    cut off, or new channels keep their random weights. Weights for inputs and taps that the parent did not read start
    at zero. `genome.morphism` initialises nodes that the parent does not have.

    In evaluation the child computes the function of its parent if additions are read only through such zero weights
    or are initialised to preserve the function, and if no layer that mixes all channels (group norm, lrn) reads new
    channels.

    Raises:
        ValueError: weights of another network than `parent`, or weights that are not finite.
    """
    replaced = _replaced(parent, child)
    theirs = {part.address: part for part in labelled_tensors(parent, _restored(parent, weights))}
    taken = []
    with torch.no_grad():
        for part in labelled_tensors(child, network):
            renamed = replaced.get(part.address.node)
            before = None if renamed is None else _counterpart(part.address, theirs, renamed)
            taken.append(Taken(part, before, _take(part, before, renamed or {}) if before else 0))
        initialise_added(child, network, parent, replaced)
    return _counted(taken)


def _restored(plan: Plan, weights: Mapping[str, Tensor]) -> Network:
    """The network of the parent with its weights."""
    network = build(plan)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise ValueError("some weights are not finite")
    return network


def _replaced(parent: Plan, child: Plan) -> dict[str, dict[str, str]]:
    """For each node that both have: its new sources, and the sources that they replace."""
    theirs, mine = gathered(parent, read(parent)), gathered(child, read(child))
    words = {step.node.name: step.node.op.word for step in parent.steps}
    both = {step.node.name for step in child.steps if words.get(step.node.name) == step.node.op.word}
    return {name: replacing(theirs[name], mine[name]) for name in both}


def _counterpart(
    address: Address, theirs: Mapping[Address, LabelledTensor], renamed: Mapping[str, str]
) -> LabelledTensor | None:
    """The matching tensor of the parent. The norms of a new pass of a loop match those of the pass before."""
    edge = renamed.get(address.edge, address.edge)
    turns = (address._replace(edge=edge, turn=turn) for turn in range(address.turn, -1, -1))
    return next((theirs[turn] for turn in turns if turn in theirs), None)


def _take(child: LabelledTensor, parent: LabelledTensor, renamed: Mapping[str, str]) -> int:
    """Copy the numbers that both have, and return how many these are."""
    if len(child.axes) != len(parent.axes):
        return 0
    pairs = [_matched(mine, theirs, renamed) for mine, theirs in zip(child.axes, parent.axes, strict=True)]
    if not all(len(mine) for mine, _ in pairs):
        return 0
    alike = child.tensor.shape == parent.tensor.shape and child.split == parent.split
    every = [[*range(len(axis.labels))] for axis in child.axes]
    if alike and all(mine == theirs == each for (mine, theirs), each in zip(pairs, every, strict=True)):
        child.tensor.copy_(parent.tensor)
        return child.tensor.numel()
    made = child.dense(child.tensor).clone()
    own = [
        each if axis.reads else mine for axis, each, (mine, _) in zip(child.axes, every, pairs, strict=True)
    ]
    taken = torch.zeros_like(made, dtype=torch.bool)
    places = _grid([mine for mine, _ in pairs])
    made[_grid(own)] = 0
    made[places] = parent.dense(parent.tensor)[_grid([theirs for _, theirs in pairs])]
    taken[places] = True
    child.tensor.copy_(child.packed(made))
    return int(child.packed(taken).sum())


def _matched(child: Axis, parent: Axis, renamed: Mapping[str, str]) -> Pair:
    """The indices of the labels that both have, in child and parent."""
    at = {label: i for i, label in enumerate(parent.labels)}
    named = [(renamed.get(label[0], label[0]), *label[1:]) for label in child.labels]
    both = [(i, at[label]) for i, label in enumerate(named) if label in at]
    return [i for i, _ in both], [j for _, j in both]


def _grid(places: Iterable[Iterable[int]]) -> tuple[Tensor, ...]:
    """The index of every number at these indices of each axis."""
    axes = [torch.tensor([*axis]) for axis in places]
    return torch.meshgrid(*axes, indexing="ij") if axes else ()


def _counted(taken: Sequence[Taken]) -> Inherited:
    whole = sum(one.is_whole for one in taken)
    fresh = sum(not one.numbers for one in taken)
    learned = [one for one in taken if isinstance(one.part.tensor, nn.Parameter)]
    size = sum(one.part.tensor.numel() for one in learned)
    share = sum(one.numbers for one in learned) / size if size else 0.0
    return Inherited(whole, len(taken) - whole - fresh, fresh, share)
