"""digest: a name for a network that does not depend on how its nodes are named or listed.

The expanded graph is written down in a canonical order of its nodes and hashed, so that equal digests always
mean the same network. The order is found by colour refinement over both directions of the edges (Weisfeiler
and Leman, 1968), with one node of a tie singled out at a time: two equal networks get equal digests unless
their graphs hold tied nodes that no symmetry exchanges, which costs a repeated training and nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

from genome.graph import IMAGE, Genome
from genome.op import Op, Shape
from genome.resolve import Plan, resolve

_BITS = (1 << 64) - 1
_SOURCE, _DOWN, _UP, _SINGLE = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
)

Edges: TypeAlias = list[list[tuple[int, int]]]  # per node: the node at the other end, and the input's place


def digest(genome: Genome | Plan) -> str:
    """32 hexadecimal digits, equal for networks that are the same but for names and listing.

    What counts: the input, the classes, every node's type, effective genes and output shape, which input is
    which where the order matters, loops, and the order of the exits.
    """
    plan = resolve(genome) if isinstance(genome, Genome) else genome
    names = [step.node.name for step in plan.steps if step.turn == 0]
    place = {name: i for i, name in enumerate(names)}
    labels, ins, outs = _labelled(plan, place)
    rank = _canonical(labels, ins, outs)
    order = sorted(range(len(names)), key=rank.__getitem__)
    at = {node: i for i, node in enumerate(order)}
    rows = [(labels[v], sorted((at[u] if u >= 0 else -1, slot) for u, slot in ins[v])) for v in order]
    loops = sorted(
        (loop.passes, [at[place[m]] for m in loop.order if m in place]) for loop in plan.genome.loops
    )
    text = repr((plan.genome.input, plan.genome.classes, rows, loops, [at[place[e]] for e in _exits(plan)]))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _exits(plan: Plan) -> list[str]:
    return [plan.steps[i].node.name for i in plan.exits]


def _labelled(plan: Plan, place: dict[str, int]) -> tuple[list[int], Edges, Edges]:
    """A label per node, and the edges both ways; -1 is the image."""
    labels: list[int] = []
    ins: Edges = []
    outs: Edges = [[] for _ in place]
    for step in plan.steps:
        if step.turn:
            continue
        node = step.node
        ordered = len(node.ins) > 1 and node.op.in_order()
        v = len(labels)
        labels.append(_label(node.op, step.cell.out))
        edges = []
        for slot, name in enumerate(node.ins):
            u, slot = -1 if name == IMAGE else place[name], slot if ordered else 0
            edges.append((u, slot))
            if u >= 0:
                outs[u].append((v, slot))
        ins.append(edges)
    for loop in plan.genome.loops:
        for i, member in enumerate(loop.order):
            if member in place:
                labels[place[member]] = _mix(labels[place[member]], i + 1 + (loop.passes << 16))
    for i, name in enumerate(_exits(plan)):
        labels[place[name]] = _mix(labels[place[name]], i)
    return labels, ins, outs


@lru_cache(maxsize=1 << 16)
def _label(op: Op, out: Shape) -> int:
    text = repr((op.described(), tuple(out)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _mix(a: int, b: int) -> int:
    """Two 64-bit numbers into one, in order."""
    a = (a ^ (b * _DOWN)) & _BITS
    a = ((a ^ (a >> 31)) * _UP) & _BITS
    return a ^ (a >> 29)


def _refined(colors: list[int], ins: Edges, outs: Edges) -> list[int]:
    """One round: down along the edges, then up; each node takes in the colours of its neighbours."""
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
    """Colours that tell all nodes apart, by refinement and by singling out one of a tie at a time."""
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
    """Refine until no further nodes are told apart."""
    count = 0
    while count < len(set(colors)) < len(colors) or not count:
        count = len(set(colors))
        colors = _refined(colors, ins, outs)
    return colors
