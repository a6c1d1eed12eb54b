"""The tensors of a network with a label for every index of every axis, such that two networks share labels.

Weight transfer matches tensors by these labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from genome.axes import axes
from genome.channels import Label, Reads, gathered, labels, read
from genome.network import NORMS, Concatenated, Fitted, Network
from genome.op import Shape
from genome.ops._active import Active
from genome.ops._deform import Deform
from genome.ops._exit import Head
from genome.ops._joins import Join
from genome.ops._kernels import Kernels
from genome.ops._perturb import Noise
from genome.ops._squeeze import Squeeze
from genome.plan import Plan

Split: TypeAlias = tuple[tuple[int, int], ...]  # channels and groups of each input of a kernel
# `Kernels.lengths` by the id of the weight, which the passes of a loop share
Lengths: TypeAlias = dict[int, dict[int, tuple[int, int, int]]]


class Axis(NamedTuple):
    """One axis of a tensor."""

    labels: tuple[Label, ...]  # one per index
    reads: bool = (
        False  # whether it runs over inputs of the layer, so that zeros at a new index change no output
    )


class Address(NamedTuple):
    """The position of a tensor in a network."""

    node: str
    edge: str  # the source of the one input that it belongs to; empty if it belongs to all
    layer: int  # how many layers with weights of the node come before it
    kind: str  # such as `weight`
    turn: int  # the pass of its loop; 0 for tensors that passes share


class LabelledTensor(NamedTuple):
    """A tensor of a network and its labels."""

    address: Address
    tensor: Tensor
    axes: tuple[Axis, ...]  # those of the dense kernel, if this is a grouped one
    split: Split | None = None  # the groups of a grouped kernel

    def dense(self, tensor: Tensor) -> Tensor:
        """A tensor of this shape as a dense kernel, with zeros for the channels that a group does not read."""
        return tensor if self.split is None else _spread(tensor, self.split)

    def packed(self, dense: Tensor) -> Tensor:
        """The inverse of `dense`."""
        return dense if self.split is None else _gathered(dense, self.split)


def labelled_tensors(plan: Plan, network: Network) -> Iterator[LabelledTensor]:
    """Every parameter and saved buffer of a network, each once."""
    reads = read(plan)
    whole, seen = gathered(plan, reads), set[int]()
    lengths: Lengths = {}
    for module in network.modules():
        if isinstance(module, Kernels):
            lengths.setdefault(id(module.weight), {}).update(module.lengths)
    for step, own, module in zip(plan.steps, reads, network.nodes.values(), strict=True):
        name = step.node.name
        walk = _Walk(name, step.turn, own, whole[name], step.info.seen, lengths, labels(own))
        for part in walk.through(module):
            if id(part.tensor) not in seen:
                seen.add(id(part.tensor))
                yield part


@dataclass
class _Walk:
    """A walk through the module of one node."""

    node: str
    turn: int
    reads: Reads
    whole: Reads  # what the node reads in any pass of its loop
    seen: Sequence[Shape]
    lengths: Lengths
    channels: tuple[Label, ...]  # the labels of the current map's channels
    layer: int = 0  # layers with weights passed so far
    edge: str = ""

    def through(self, module: nn.Module) -> Iterator[LabelledTensor]:
        match module:
            case Fitted() | Concatenated():
                yield from self.through(module.node)
            case nn.Sequential():
                for name, part in module.named_children():
                    filters = name == "depthwise" and isinstance(part, nn.Conv2d)
                    yield from self._depthwise(part) if filters else self.through(part)
            case Join() | Head():
                yield from self._edges(module)
            case Kernels():
                yield from self._kernels(module)
            case nn.Conv2d():
                split = ((module.in_channels, module.groups),) if module.groups > 1 else None
                padding = tuple(map(int, module.padding))
                taps = _window(module.kernel_size, module.dilation, padding)
                yield from self._convolved(module, taps, split)
            case Active():
                yield from self._active(module)
            case Deform():
                yield from self._deform(module)
            case Squeeze():
                yield from self._squeeze(module)
            case Noise():
                yield from self._noise(module)
            case _:
                axes = (Axis(self.channels),) if isinstance(module, NORMS) else None
                yield from self._plain(module, axes)

    def _part(
        self, tensor: Tensor, kind: str, axes: Sequence[Axis], split: Split | None = None
    ) -> LabelledTensor:
        return LabelledTensor(
            Address(self.node, self.edge, self.layer, kind, self.turn), tensor, tuple(axes), split
        )

    def _plain(self, module: nn.Module, axes: Sequence[Axis] | None) -> Iterator[LabelledTensor]:
        """The tensors of norms, single numbers, and tensors of unknown modules, which match in the same shape only."""
        for name, tensor in module.state_dict(keep_vars=True).items():
            own = axes if axes is not None and tensor.dim() else [_whole(size) for size in tensor.shape]
            yield self._part(tensor, f"{type(module).__name__}.{name}", own)

    def _edges(self, module: Join | Head) -> Iterator[LabelledTensor]:
        """The modules of each input, then the layer over all inputs."""
        for place, edge in module.edges.items():
            own = {int(place): self.reads[int(place)]}
            self.channels, self.layer, self.edge = labels(own), 0, own[int(place)][0].source
            yield from self.through(edge)
        self.edge, self.layer = "", 0
        if isinstance(module, Head) and isinstance(module.linear, nn.Linear):
            yield from self._classifier(module, module.linear)

    def _classifier(self, head: Head, linear: nn.Linear) -> Iterator[LabelledTensor]:
        columns = labels(self.reads)
        if not head.average:
            sizes = [shape[1:] for shape in self.seen for _ in range(shape.channels)]
            pairs = zip(columns, sizes, strict=True)
            columns = tuple([(*c, y, x) for c, (h, w) in pairs for y, x in product(range(h), range(w))])
        classes = _numbered(linear.out_features)
        yield self._part(linear.weight, "weight", (classes, Axis(columns, reads=True)))
        yield self._part(linear.bias, "bias", (classes,))

    def _convolved(
        self, module: nn.Module, taps: tuple[Axis, ...], split: Split | None = None
    ) -> Iterator[LabelledTensor]:
        """A kernel over the current channels, and its bias; its output channels are numbered."""
        weight, bias = module.weight, module.bias
        assert isinstance(weight, Tensor)
        self.layer += 1
        out = _numbered(len(weight))
        yield self._part(weight, "weight", (out, Axis(self.channels, reads=True), *taps), split)
        if isinstance(bias, Tensor):
            yield self._part(bias, "bias", (out,))
        self.channels = out.labels

    def _depthwise(self, module: nn.Module) -> Iterator[LabelledTensor]:
        """One filter per channel: the channels keep their labels."""
        assert isinstance(module, nn.Conv2d)
        taps = _window(module.kernel_size, module.dilation, tuple(map(int, module.padding)))
        yield from self._filters(module, Axis(self.channels), taps)

    def _filters(self, module: nn.Module, channels: Axis, taps: tuple[Axis, ...]) -> Iterator[LabelledTensor]:
        weight, bias = module.weight, module.bias
        assert isinstance(weight, Tensor)
        self.layer += 1
        yield self._part(weight, "weight", (channels, _whole(1), *taps))
        if isinstance(bias, Tensor):
            yield self._part(bias, "bias", (channels,))

    def _kernels(self, module: Kernels) -> Iterator[LabelledTensor]:
        """The kernels of all passes of a loop. Depthwise filters leave the labels of the current channels unchanged."""
        window, packed = module.window, labels(self.whole)
        taps = _window(axes(window.kernel), axes(window.dilation), window.pad)
        if module.depthwise:
            yield from self._filters(module, Axis(packed), taps)
            return
        self.channels = packed
        each = tuple([(c, groups) for _, (c, _, groups) in sorted(self.lengths[id(module.weight)].items())])
        split = each if any(groups > 1 for _, groups in each) else None
        yield from self._convolved(module, taps, split)

    def _active(self, module: Active) -> Iterator[LabelledTensor]:
        taps = _window(module.kernel, (1, 1), [size // 2 for size in module.kernel])
        yield from self._convolved(module, taps)
        rows, columns = (axis.labels for axis in taps)
        around = [(y, x) for y in rows for x in columns if (y, x) != ((0,), (0,))]
        places = tuple(product(range(module.groups), around, "yx"))
        yield self._part(module.position, "position", (Axis(places),))
        yield self._part(module.steps, "steps", ())

    def _deform(self, module: Deform) -> Iterator[LabelledTensor]:
        taps = _window(module.kernel, module.dilation, module.padding)
        at = tuple(product(range(module.groups), *(axis.labels for axis in taps)))
        made = tuple(product(at, "yx")) + (() if module.modulation == "none" else tuple(product(at, "m")))
        yield self._part(module.offset.weight, "offset", (Axis(made), Axis(self.channels, reads=True), *taps))
        assert module.offset.bias is not None
        yield self._part(module.offset.bias, "offset bias", (Axis(made),))
        groups = module.kernel_groups
        yield from self._convolved(module, taps, ((module.channels, groups),) if groups > 1 else None)

    def _squeeze(self, module: Squeeze) -> Iterator[LabelledTensor]:
        hidden, channels = _numbered(module.down.out_features), Axis(self.channels)
        for kind, linear, out, into in (
            ("down", module.down, hidden, channels),
            ("up", module.up, channels, hidden),
        ):
            yield self._part(linear.weight, kind, (out, into._replace(reads=True)))
            if linear.bias is not None:
                yield self._part(linear.bias, f"{kind} bias", (out,))

    def _noise(self, module: Noise) -> Iterator[LabelledTensor]:
        masks, shared = _numbered(len(module.masks)), module.masks.shape[1] < len(self.channels)
        over = Axis((("shared",),)) if shared else Axis(self.channels)
        height, width = module.masks.shape[2:]
        yield self._part(module.masks, "masks", (masks, over, _whole(height), _whole(width)))
        self.channels = tuple([(*c, *m) for c in self.channels for m in masks.labels])


def _numbered(size: int) -> Axis:
    return Axis(tuple([(k,) for k in range(size)]))


def _whole(size: int) -> Axis:
    """An axis that matches an axis of the same length only."""
    return Axis(tuple([(k, size) for k in range(size)]))


def _window(kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int]) -> tuple[Axis, ...]:
    """The taps of a kernel along each axis, labelled by their distance from its centre in pixels."""
    places = zip(kernel, dilation, padding, strict=True)
    return tuple([Axis(tuple([(i * d - p,) for i in range(k)]), reads=True) for k, d, p in places])


def _spread(weight: Tensor, split: Split) -> Tensor:
    """(O, sum C_i / g_i, k, k) -> (O, sum C_i, k, k)"""
    made = []
    for part, (channels, groups) in zip(
        torch.split(weight, [c // g for c, g in split], dim=1), split, strict=True
    ):
        dense = part.new_zeros(len(part), channels, *part.shape[2:])
        for own, block in zip(_diagonal(dense, groups), part.chunk(groups), strict=True):
            own.copy_(block)
        made.append(dense)
    return torch.cat(made, dim=1)


def _gathered(dense: Tensor, split: Split) -> Tensor:
    """(O, sum C_i, k, k) -> (O, sum C_i / g_i, k, k)"""
    each = zip(torch.split(dense, [c for c, _ in split], dim=1), split, strict=True)
    return torch.cat([torch.cat(_diagonal(part, groups)) for part, (_, groups) in each], dim=1)


def _diagonal(dense: Tensor, groups: int) -> list[Tensor]:
    """Views of the blocks of a dense kernel that belong to the groups."""
    return [rows.chunk(groups, dim=1)[i] for i, rows in enumerate(dense.chunk(groups))]
