"""Drop-path: which inputs of a join a mini-batch keeps. Decided before the forward, so that only what is kept
is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch

Sources: TypeAlias = tuple[int | None, ...]  # the steps that a step reads


@dataclass(frozen=True)
class Columns:
    """Drop-path of a fractal's join (Larsson et al., arXiv:1605.07648): its inputs are the deepest columns of
    `columns`, the shallowest of them first, or any inputs where `columns` is 0.

    Local: each input is dropped with probability `rate`; where all would be, one survives, chosen evenly.
    Global, in a share `whole` of the mini-batches: one column for the whole network.
    """

    rate: float
    columns: int = 0
    whole: float = 0.0

    def kept(self, read: Sequence[bool], column: int | None) -> list[bool]:
        """Which of the inputs that are read a mini-batch keeps; `column` is that of the whole network."""
        places = [i for i, here in enumerate(read) if here]
        if column is not None:
            first = self.columns - len(places)  # a column above it does not pass here: any choice will do
            keep = {places[min(max(column - first, 0), len(places) - 1)]}
        else:
            keep = {i for i in places if chance() >= self.rate} or {places[int(chance() * len(places))]}
        return [i in keep for i in range(len(read))]


@dataclass(frozen=True)
class Branches:
    """Stochastic depth (Huang et al., ECCV 2016, arXiv:1603.09382): all inputs but the last, the shortcut, are
    dropped with probability `rate`; without dropping they count 1 - `rate`."""

    rate: float
    columns: ClassVar[int] = 0
    whole: ClassVar[float] = 0.0

    def kept(self, read: Sequence[bool], column: int | None) -> list[bool]:
        """Which of the inputs that are read a mini-batch keeps."""
        shortcut = max(i for i, here in enumerate(read) if here)
        return [here and (i == shortcut or chance() >= self.rate) for i, here in enumerate(read)]


Paths: TypeAlias = Columns | Branches


def chance() -> float:
    """A number from 0 to 1 of torch's CPU generator, so that no device has to be waited for."""
    return torch.rand(()).item()


def drawn(
    joins: Mapping[int, Paths], steps: Sequence[Sources], exits: Sequence[int]
) -> dict[int, Sources | None]:
    """What a mini-batch reads at every join, and None at every step that no exit needs then.

    `joins` has the drop-path of the steps that have one, `steps` what each step reads, None where it does not.
    """
    coin, column = chance(), int(chance() * max(join.columns for join in joins.values()))
    found: dict[int, Sources | None] = {}
    for i, join in joins.items():
        keep = join.kept([s is not None for s in steps[i]], column if coin < join.whole else None)
        found[i] = tuple([s if k else None for s, k in zip(steps[i], keep, strict=True)])
    needed = set(exits)
    for i in reversed(range(len(steps))):
        if i in needed:
            needed.update(s for s in found.get(i) or steps[i] if s is not None)
        else:
            found[i] = None
    return found
