"""Kernels of which each pass of a loop reads a part, stored once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

KERNEL = 4  # dimensions


class Part(NamedTuple):
    """A tensor as ranges of a larger one along an axis."""

    whole: str  # the name under which the larger one is stored
    axis: int
    ranges: tuple[tuple[int, int], ...]  # (first, behind the last)

    def of(self, whole: Tensor) -> Tensor:
        """The tensor, from the larger one."""
        return torch.cat([whole.narrow(self.axis, a, b - a) for a, b in self.ranges], dim=self.axis)


class Stored(NamedTuple):
    """The tensors of a network, each number once."""

    tensors: Mapping[str, Tensor]
    parts: Mapping[str, Part]  # of the tensors that are not among these

    def state(self) -> dict[str, Tensor]:
        """The state dict of the network."""
        wholes = {part.whole for part in self.parts.values()}
        kept = {name: one for name, one in self.tensors.items() if name not in wholes}
        return kept | {name: part.of(self.tensors[part.whole]) for name, part in self.parts.items()}


def stored_once(tensors: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> Stored:
    """Return tensors with the kernels of loops once.

    tensors: of the network's layers, one for each pass that reads other inputs.  parameters: of the network, each with
    what all passes read.
    """
    kept, wholes, parts = dict(tensors), dict[str, Tensor](), dict[str, Part]()
    for parameter in parameters.values():
        found = {
            name: ranges for name, one in kept.items() if (ranges := _within(one, parameter)) is not None
        }
        if sum(kept[name].numel() for name in found) > parameter.numel():
            whole = f"{next(iter(found))}.whole"
            wholes[whole] = parameter.detach()
            parts |= {name: Part(whole, axis, ranges) for name, (axis, ranges) in found.items()}
            kept = {name: one for name, one in kept.items() if name not in found}
    return Stored(kept | wholes, parts)


def _within(part: Tensor, whole: Tensor) -> tuple[int, tuple[tuple[int, int], ...]] | None:
    """The axis and the ranges of a kernel that are a smaller one, or all of it."""
    if not part.dim() == whole.dim() == KERNEL or part.dtype != whole.dtype:
        return None
    for axis in (1, 0):  # filters of one channel have their inputs along the first
        others = [[size for at, size in enumerate(one.shape) if at != axis] for one in (part, whole)]
        if others[0] == others[1] and part.shape[axis] <= whole.shape[axis]:
            places = {row: at for at, row in reversed([*enumerate(_rows(whole, axis))])}
            found = [places.get(row) for row in _rows(part, axis)]
            if None not in found:
                return axis, tuple(_ranges([at for at in found if at is not None]))
    return None


def _rows(tensor: Tensor, axis: int) -> Iterator[bytes]:
    """The numbers at each place of an axis."""
    for row in tensor.detach().cpu().movedim(axis, 0).contiguous():
        yield row.numpy().tobytes()


def _ranges(places: list[int]) -> Iterator[tuple[int, int]]:
    """Places in order as ranges."""
    start = before = places[0]
    for at in places[1:]:
        if at != before + 1:
            yield start, before + 1
            start = at
        before = at
    yield start, before + 1
