"""compute_graph: the nodes of a plan that do something, and the edges between them."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from genome.graph import IMAGE
from genome.plan import Plan
from genome.step import SOURCE, Step

Edges: TypeAlias = list[list[tuple[int, int]]]  # per node: the node at the other end, and the input's place


class ComputeGraph(NamedTuple):
    """A step per node (the first pass of a loop's member), edges both ways, and where each name stands.

    -1 is the image. An input's place is 0 where the order of the inputs does not count.
    """

    steps: list[Step]
    ins: Edges
    outs: Edges
    place: dict[str, int]


def compute_graph(plan: Plan) -> ComputeGraph:
    """The nodes that do something: later passes of a loop follow from the first, and the readers of a node
    that gives what it takes read what it reads."""
    steps: list[Step] = []
    place = {IMAGE: SOURCE}
    looped = {member for loop in plan.genome.loops for member in loop.order}
    for step in plan.steps:
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
    """The edges both ways, with the input's place where the order counts."""
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
