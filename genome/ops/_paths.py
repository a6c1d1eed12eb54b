"""Drop-path: which inputs of each join a mini-batch keeps. It is drawn before the forward, so that the nodes which
only dropped inputs need do not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch

Sources: TypeAlias = tuple[int | None, ...]  # the steps that a step reads


@dataclass(frozen=True)
class Columns:
    """Drop-path of a fractal's join (Larsson et al., arXiv:1605.07648).

    Local drop-path drops each input with probability `rate`; if it would drop all, one input, chosen uniformly, is
    kept. Global drop-path keeps one column in the whole network.
    """

    rate: float  # probability with which local drop-path drops an input
    columns: int = (
        0  # columns of the fractal, of which the inputs are the deepest, shallowest first; 0: no fractal
    )
    whole: float = 0.0  # probability of global drop-path in a mini-batch

    def kept(self, read: Sequence[bool], column: int | None) -> list[bool]:
        """Which of the inputs that are read a mini-batch keeps. `column` is that of global drop-path, if it applies."""
        places = [i for i, here in enumerate(read) if here]
        if column is not None:
            first = self.columns - len(
                places
            )  # a shallower column does not reach this join: any choice is right
            keep = {places[min(max(column - first, 0), len(places) - 1)]}
        else:
            keep = {i for i in places if chance() >= self.rate} or {places[int(chance() * len(places))]}
        return [i in keep for i in range(len(read))]


@dataclass(frozen=True)
class Branches:
    """Stochastic depth (Huang et al., ECCV 2016, arXiv:1603.09382).

    In training each input except the last, the shortcut, is dropped with probability `rate`. In evaluation those
    inputs are multiplied by 1 - `rate`.
    """

    rate: float
    columns: ClassVar[int] = 0
    whole: ClassVar[float] = 0.0

    def kept(self, read: Sequence[bool], column: int | None) -> list[bool]:
        """Which of the inputs that are read a mini-batch keeps."""
        shortcut = max(i for i, here in enumerate(read) if here)
        return [here and (i == shortcut or chance() >= self.rate) for i, here in enumerate(read)]


Paths: TypeAlias = Columns | Branches


def chance() -> float:
    """A number from 0 to 1 from torch's CPU generator, which needs no wait for a device."""
    return torch.rand(()).item()


def drawn(
    joins: Mapping[int, Paths], steps: Sequence[Sources], exits: Sequence[int]
) -> dict[int, Sources | None]:
    """The inputs that a mini-batch reads at each join, and None for each step that no exit needs.

    `joins` holds the drop-path of the steps that have one; `steps` holds the inputs of each step, None for an input
    that is not read.
    """
    coin, column = chance(), int(chance() * max(join.columns for join in joins.values()))
    found: dict[int, Sources | None] = {}
    for i, join in joins.items():
        keep = join.kept([s is not None for s in steps[i]], column if coin < join.whole else None)
        found[i] = tuple([s if k else None for s, k in zip(steps[i], keep, strict=True)])
    return needed_steps(found, steps, exits)


def needed_steps(
    found: dict[int, Sources | None], steps: Sequence[Sources], exits: Sequence[int]
) -> dict[int, Sources | None]:
    """The inputs that joins read, with None for each step that no exit needs then."""
    needed = set(exits)
    for i in reversed(range(len(steps))):
        if i in needed:
            needed.update(s for s in found.get(i) or steps[i] if s is not None)
        else:
            found[i] = None
    return found
