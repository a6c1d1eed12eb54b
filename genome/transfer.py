"""transfer: give a network the weights of another one that it was made from.

Tensors are matched by the names of nodes and the labels of channels (see `genome.tensor_axes`), so that a channel finds
its weights wherever an edge that came or went has moved it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from genome.build import build
from genome.channels import gathered, read, replacing
from genome.morphism import start
from genome.network import Network
from genome.plan import Plan
from genome.tensor_axes import Address, Axis, Part, parts

Pair: TypeAlias = tuple[list[int], list[int]]  # places of an axis that belong together, in child and parent


class Inherited(NamedTuple):
    """Tensors that were taken over whole, in part and not at all, and the share of the child's parameters that
    have their parent's value."""

    whole: int
    sliced: int
    fresh: int
    share: float


class Taken(NamedTuple):
    """A tensor of the child, the parent's in its place, and how many numbers it took from it."""

    part: Part
    parent: Part | None
    numbers: int

    @property
    def is_whole(self) -> bool:
        return (
            self.parent is not None and self.numbers == self.part.tensor.numel() == self.parent.tensor.numel()
        )


def transfer(parent: Plan, weights: Mapping[str, Tensor], child: Plan, network: Network) -> Inherited:
    """Fill the network of `child` with the weights of `parent`, in place.

    A node of the parent's name and type takes over its tensors. Where widths differ, channels are cut off at the end,
    or new ones are added there as they were drawn. Weights on channels and taps that the parent did not read start
    at zero, so that they change nothing at first. Nodes that the parent did not have start as `genome.morphism` says.

    In evaluation the child computes what its parent does where all that was added is read by such weights alone, or
    has such a start, and nothing that mixes all channels (group norm, lrn) sees new ones.

    Raises:
        ValueError: weights that are not the parent's, or not finite.
    """
    replaced = _replaced(parent, child)
    theirs = {part.address: part for part in parts(parent, _restored(parent, weights))}
    taken = []
    with torch.no_grad():
        for part in parts(child, network):
            renamed = replaced.get(part.address.node)
            before = None if renamed is None else _counterpart(part.address, theirs, renamed)
            taken.append(Taken(part, before, _take(part, before, renamed or {}) if before else 0))
        start(child, network, parent, replaced)
    return _counted(taken)


def _restored(plan: Plan, weights: Mapping[str, Tensor]) -> Network:
    """The parent's network, with its weights."""
    network = build(plan)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise ValueError("some weights are not finite")
    return network


def _replaced(parent: Plan, child: Plan) -> dict[str, dict[str, str]]:
    """For each node that both have the sources that took the place of others."""
    theirs, mine = gathered(parent, read(parent)), gathered(child, read(child))
    words = {step.node.name: step.node.op.word for step in parent.steps}
    both = {step.node.name for step in child.steps if words.get(step.node.name) == step.node.op.word}
    return {name: replacing(theirs[name], mine[name]) for name in both}


def _counterpart(address: Address, theirs: Mapping[Address, Part], renamed: Mapping[str, str]) -> Part | None:
    """The parent's tensor; a pass of a loop that the parent did not have takes the norms of the one before."""
    edge = renamed.get(address.edge, address.edge)
    turns = (address._replace(edge=edge, turn=turn) for turn in range(address.turn, -1, -1))
    return next((theirs[turn] for turn in turns if turn in theirs), None)


def _take(child: Part, parent: Part, renamed: Mapping[str, str]) -> int:
    """Take over what both have; how many numbers that is."""
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
    """The places of labels that both have, in the child and in the parent."""
    at = {label: i for i, label in enumerate(parent.labels)}
    named = [(renamed.get(label[0], label[0]), *label[1:]) for label in child.labels]
    both = [(i, at[label]) for i, label in enumerate(named) if label in at]
    return [i for i, _ in both], [j for _, j in both]


def _grid(places: Iterable[Iterable[int]]) -> tuple[Tensor, ...]:
    """Indices of all that lies at these places of each axis."""
    axes = [torch.tensor([*axis]) for axis in places]
    return torch.meshgrid(*axes, indexing="ij") if axes else ()


def _counted(taken: Sequence[Taken]) -> Inherited:
    whole = sum(one.is_whole for one in taken)
    fresh = sum(not one.numbers for one in taken)
    learned = [one for one in taken if isinstance(one.part.tensor, nn.Parameter)]
    size = sum(one.part.tensor.numel() for one in learned)
    share = sum(one.numbers for one in learned) / size if size else 0.0
    return Inherited(whole, len(taken) - whole - fresh, fresh, share)
