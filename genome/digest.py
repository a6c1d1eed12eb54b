"""digest: a hash of a network that does not depend on the names and the order of its nodes.

The expanded graph is written in a canonical order of its nodes and hashed, so that equal digests always mean the same
network. The order comes from colour refinement along both directions of the edges (Weisfeiler and Leman, 1968); ties
are broken by individualising one node at a time. Two equal networks get equal digests unless their graphs hold tied
nodes that no automorphism exchanges; such a pair costs one repeated training.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from genome.compute_graph import Edges
from genome.graph import Genome, Loop
from genome.op import Op
from genome.plan import Plan
from genome.resolve import resolve
from genome.step import SOURCE

_BITS = (1 << 64) - 1
_SOURCE, _DOWN, _UP, _SINGLE = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
)


def digest(genome: Genome | Plan) -> str:
    """32 hexadecimal digits, equal for networks that differ only in the names and the order of their nodes.

    The digest covers the input, the classes, every node's type, effective genes and output shape, the order of
    inputs that is significant, the loops, and the order of the exits.

    Raises:
        GenomeError: as `genome.resolve`.
    """
    plan = resolve(genome) if isinstance(genome, Genome) else genome
    graph = _graph(plan)
    rank = _canonical(graph.labels, graph.ins, graph.outs)
    order = sorted(range(len(rank)), key=rank.__getitem__)
    at = [0] * len(order) + [SOURCE]  # the last is at the index of the image
    for i, node in enumerate(order):
        at[node] = i
    labels, ins = graph.labels, graph.ins
    rows = [(labels[v], sorted([(at[u], slot) for u, slot in ins[v]])) for v in order]
    place = graph.place
    loops = sorted(
        (loop.passes, [at[place[m]] for m in loop.order if m in place], _updated(loop, place))
        for loop in plan.genome.loops
    )
    exits = [at[place[plan.steps[i].node.name]] for i in plan.exits]
    text = repr((plan.genome.input, plan.genome.classes, rows, loops, exits))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _updated(loop: Loop, place: dict[str, int]) -> int:
    """How many of the live members are evaluated again."""
    return sum(member in place for member in loop.order[: loop.update])


class _Graph(NamedTuple):
    """A graph with labelled nodes."""

    labels: list[int]  # one per node
    ins: Edges
    outs: Edges
    place: dict[str, int]  # the index of each node name


def _graph(plan: Plan) -> _Graph:
    steps, ins, outs, place = plan.compute_graph
    labels = [step.info.mark or 0 for step in steps]
    for loop in plan.genome.loops:
        for i, member in enumerate(loop.order):
            if member in place:
                v = place[member]
                # the mark of the first pass may leave out genes that have an effect in later passes
                labels[v] = _mix(labels[v], _genes(steps[v].node.op))
                labels[v] = _mix(labels[v], i + 1 + (loop.passes << 16))
    for i, exit_ in enumerate(plan.exits):
        v = place[plan.steps[exit_].node.name]
        labels[v] = _mix(labels[v], i)
    return _Graph(labels, ins, outs, place)


@lru_cache(maxsize=1 << 12)
def _genes(op: Op) -> int:
    return int.from_bytes(blake2b(repr(op.described()).encode(), digest_size=8).digest())


def _mix(a: int, b: int) -> int:
    """A 64-bit hash of two 64-bit numbers, in order."""
    a = (a ^ (b * _DOWN)) & _BITS
    a = ((a ^ (a >> 31)) * _UP) & _BITS
    return a ^ (a >> 29)


def _refined(colors: list[int], ins: Edges, outs: Edges) -> list[int]:
    """One round of refinement, forwards and then backwards along the edges."""
    colors = list(colors)
    for v, edges in enumerate(ins):
        total = 0
        for u, slot in edges:
            total += _mix(colors[u] if u >= 0 else _SOURCE, slot)
        colors[v] = _mix(colors[v], total & _BITS)
    for v in range(len(outs) - 1, -1, -1):
        total = 0
        for w, slot in outs[v]:
            total += _mix(colors[w], slot + _SINGLE)
        colors[v] = _mix(colors[v], total & _BITS)
    return colors


def _canonical(labels: list[int], ins: Edges, outs: Edges) -> list[int]:
    """A different colour for every node, by refinement and by individualising one node of a tie at a time."""
    colors = _settled(labels, ins, outs)
    while len(set(colors)) < len(colors):
        seen: dict[int, int] = {}
        for color in colors:
            seen[color] = seen.get(color, 0) + 1
        tied = min(color for color, times in seen.items() if times > 1)
        colors[colors.index(tied)] = _mix(tied, _SINGLE)
        colors = _settled(colors, ins, outs)
    return colors


def _settled(colors: list[int], ins: Edges, outs: Edges) -> list[int]:
    """Refine until the number of colours stays the same."""
    count = 0
    while count < len(set(colors)) < len(colors) or not count:
        count = len(set(colors))
        colors = _refined(colors, ins, outs)
    return colors
