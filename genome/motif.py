"""The contract of a motif: `expand` gives plain nodes or other motifs, and the last one is its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from genome.graph import Loop, Node, Times, Width
from genome.op import Op
from genome.ops.concat import Concat
from genome.ops.pool import Pool


class Fragment(NamedTuple):
    """The nodes and loops of an expanded motif. Readers of the motif read the last node."""

    nodes: tuple[Node, ...]
    loops: tuple[Loop, ...] = ()


class Motif(Op):
    """Base of the motifs: node types that stand for several nodes."""

    motif: ClassVar[bool] = True
    many: ClassVar[bool] = True

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
        """The nodes that replace the motif, each named `name/..` or `name.unit/..`."""
        raise NotImplementedError


def joined(name: str, ins: tuple[str, ...]) -> tuple[tuple[Node, ...], tuple[str]]:
    """One input in place of several: a concatenation node under `name`, if there is more than one input."""
    if len(ins) == 1:
        return (), (ins[0],)
    return (Node(name, Concat(), ins),), (name,)


def times(width: Width, factor: int) -> Width:
    """A multiple of the stated width, or of the scheduled width if none is stated."""
    if isinstance(width, Times):
        return Times(width.factor * factor)
    if width is None:
        return Times(factor) if factor != 1 else None
    return width * factor


def strided(name: str, op: Op, ins: tuple[str, ...], width: Width, stride: int) -> Sequence[Node]:
    """A node of `op` that shrinks the image by `stride`: with its own stride if it has one, else with a max pool."""
    if not op.takes_width():
        width = None
    if stride == 1:
        return (Node(name, op, ins, width),)
    if any(g.name == "stride" for g in op.genes):
        return (Node(name, op.having(stride=stride), ins, width),)
    pool = Pool(kind="max", size=stride, stride=stride)
    return (Node(name, op, ins, width), Node(f"{name}/pool", pool, (name,)))
