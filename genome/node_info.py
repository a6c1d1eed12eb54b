"""Shape inference of one node: its fitted inputs, its output and its cost, by integer arithmetic."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from genome.op import IDENTITY, Cost, Op, Shape

Size: TypeAlias = tuple[int, int]  # height and width of an image


class NodeInfo(NamedTuple):
    """Shapes and cost of one node, given the shapes of its inputs."""

    seen: tuple[Shape, ...]  # the inputs after pooling to one size and, for one-input types, concatenation
    out: Shape
    cost: Cost
    shrunk: tuple[bool, ...]  # per input read: whether it is pooled to a smaller size
    keeps: tuple[bool, ...]  # per input read: whether autograd saves it unpooled
    extra: int  # numbers that autograd saves because inputs are pooled or concatenated
    size: int  # numbers in the output
    fitted: int  # numbers in the pooled inputs and the concatenation that are made before the node runs
    # per input read: rows of its image for one row of the smallest image; None where it is one for all
    ratios: tuple[int, ...] | None
    mark: int | None  # a 64-bit hash of what the node computes, for digests; None for the identity


@lru_cache(maxsize=1 << 16)
def node_info(op: Op, ins: tuple[Shape, ...], width: int, floor: Size | None) -> NodeInfo:
    """Shapes and cost of a node. Cached, since a search asks for the same ones many times.

    `floor` is the image size of the node's loop, to which larger inputs are pooled.

    Raises:
        ValueError: an output image below 1x1, or inputs that the node type refuses.
    """
    seen = _fit(op, ins, floor)
    out = op.shape(seen, width)
    if out.height < 1 or out.width < 1:
        size = f"{seen[0].height}x{seen[0].width}"
        raise ValueError(
            f"shrinks its {size} image below 1x1; use padding: same, a smaller kernel or stride, or fewer pools"
        )
    cost = op.cost(seen, out)
    shrunk, keeps, extra = _kept(ins, seen, cost)
    fitted = _fitted(ins, seen, shrunk)
    return NodeInfo(
        seen, out, cost, shrunk, keeps, extra, out.size, fitted, _ratios(op, ins), _mark(op, seen, out)
    )


def _mark(op: Op, seen: tuple[Shape, ...], out: Shape) -> int | None:
    placed = op.placed(seen, out)
    if placed == IDENTITY:
        return None
    return int.from_bytes(blake2b(repr((placed, *out)).encode(), digest_size=8).digest())


def _fit(op: Op, ins: tuple[Shape, ...], floor: Size | None) -> tuple[Shape, ...]:
    """The inputs pooled to one size and, for one-input types, concatenated."""
    if floor is not None:
        ins = tuple([Shape(i.channels, min(i.height, floor[0]), min(i.width, floor[1])) for i in ins])
    if len(ins) == 1 or not op.aligns:
        return ins
    height = min(i.height for i in ins)
    across = min(i.width for i in ins)
    if op.many:
        return tuple([Shape(i.channels, height, across) for i in ins])
    return (Shape(sum(i.channels for i in ins), height, across),)


def _fitted(ins: tuple[Shape, ...], seen: tuple[Shape, ...], shrunk: tuple[bool, ...]) -> int:
    """The field `fitted` of a NodeInfo."""
    if len(ins) == len(seen):
        return sum([s.size for s, small in zip(seen, shrunk, strict=True) if small])
    whole = seen[0]
    return whole.size + sum(
        [whole.with_channels(i.channels).size for i, small in zip(ins, shrunk, strict=True) if small]
    )


def _ratios(op: Op, ins: tuple[Shape, ...]) -> tuple[int, ...] | None:
    """The field `ratios` of a NodeInfo. An exit pools each input by itself."""
    least = min([i.height for i in ins])
    if op.width == "classes" or all(i.height == least for i in ins):
        return None
    return tuple([-(-i.height // least) for i in ins])


def _kept(
    ins: tuple[Shape, ...], seen: tuple[Shape, ...], cost: Cost
) -> tuple[tuple[bool, ...], tuple[bool, ...], int]:
    """The fields `shrunk`, `keeps` and `extra` of a NodeInfo."""
    if len(seen) != len(ins):  # concatenated
        return (
            tuple([i[1:] != seen[0][1:] for i in ins]),
            (False,) * len(ins),
            seen[0].size if cost.reads else 0,
        )
    reads = cost.reads if isinstance(cost.reads, tuple) else (cost.reads,) * len(ins)
    if ins == seen:
        return (False,) * len(ins), reads, 0
    shrunk = tuple([i != s for i, s in zip(ins, seen, strict=True)])
    extra = sum(s.size for s, small, read in zip(seen, shrunk, reads, strict=True) if small and read)
    return shrunk, tuple([r and not s for r, s in zip(reads, shrunk, strict=True)]), extra
