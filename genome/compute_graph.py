"""The compute graph of a plan: its nodes without identities, and the edges between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from genome.graph import IMAGE, Loop
from genome.step import SOURCE, Step

Edges: TypeAlias = list[
    list[tuple[int, int]]
]  # per node: the node at the other end, the position of the input


class ComputeGraph(NamedTuple):
    """Nodes by index and their edges in both directions. The index of the image is -1."""

    steps: list[Step]  # one per node: its first pass
    ins: Edges  # the position of an input is 0 if the order of inputs does not count
    outs: Edges
    place: dict[str, int]  # the index of each node name


def compute_graph(evaluated: Sequence[Step], loops: Sequence[Loop]) -> ComputeGraph:
    """The compute graph of a plan's steps.

    It has the first pass of each loop only, since the others follow from it. The readers of an identity read its input.
    """
    steps: list[Step] = []
    place = {IMAGE: SOURCE}
    looped = {member for loop in loops for member in loop.order}
    for step in evaluated:
        name, _, ins, _ = step.node
        if step.turn:
            continue
        if step.info.mark is None and len(ins) == 1 and name not in looped:
            place[name] = place[ins[0]]
            continue
        place[name] = len(steps)
        steps.append(step)
    return ComputeGraph(steps, *_edges(steps, place), place)


def _edges(steps: list[Step], place: dict[str, int]) -> tuple[Edges, Edges]:
    """The edges in both directions."""
    outs: Edges = [[] for _ in steps]
    ins_of: Edges = []
    for v, step in enumerate(steps):
        names = step.node.ins
        ordered = len(names) > 1 and step.node.op.in_order()
        edges = [(place[name], slot if ordered else 0) for slot, name in enumerate(names)]
        for u, slot in edges:
            if u != SOURCE:
                outs[u].append((v, slot))
        ins_of.append(edges)
    return ins_of, outs
