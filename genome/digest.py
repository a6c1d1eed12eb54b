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
from genome.op import IDENTITY, Op, Shape
from genome.plan import Plan, Step
from genome.resolve import resolve

_BITS = (1 << 64) - 1
_SOURCE, _DOWN, _UP, _SINGLE = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
)

_IMAGE = -1  # its place

Edges: TypeAlias = list[list[tuple[int, int]]]  # per node: the node at the other end, and the input's place


def digest(genome: Genome | Plan) -> str:
    """32 hexadecimal digits, equal for networks that are the same but for names and listing.

    What counts: the input, the classes, every node's type, effective genes and output shape, which input is
    which where the order matters, loops, and the order of the exits.
    """
    plan = resolve(genome) if isinstance(genome, Genome) else genome
    steps, alias = _telling(plan)
    place = {step.node.name: i for i, step in enumerate(steps)}
    labels, ins, outs = _labelled(plan, steps, alias, place)
    rank = _canonical(labels, ins, outs)
    order = sorted(range(len(steps)), key=rank.__getitem__)
    at = {node: i for i, node in enumerate(order)}
    at[_IMAGE] = _IMAGE
    rows = [(labels[v], sorted((at[u], slot) for u, slot in ins[v])) for v in order]
    loops = sorted(
        (loop.passes, [at[place[m]] for m in loop.order if m in place]) for loop in plan.genome.loops
    )
    exits = [at[place[name]] for name in _exits(plan)]
    text = repr((plan.genome.input, plan.genome.classes, rows, loops, exits))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _exits(plan: Plan) -> list[str]:
    return [plan.steps[i].node.name for i in plan.exits]


def _telling(plan: Plan) -> tuple[list[Step], dict[str, str]]:
    """The steps that tell networks apart, and for each node left out the one that it passes on: later passes
    of a loop follow from the first, and a node that gives what it takes is none."""
    looped = {member for loop in plan.genome.loops for member in loop.order}
    steps: list[Step] = []
    alias: dict[str, str] = {}
    for step in plan.steps:
        if step.turn:
            continue
        name, source = step.node.name, step.node.ins[0]
        if name not in looped and _label(step.node.op, step.cell.seen, step.cell.out) is None:
            alias[name] = alias.get(source, source)
        else:
            steps.append(step)
    return steps, alias


def _labelled(
    plan: Plan, steps: list[Step], alias: dict[str, str], place: dict[str, int]
) -> tuple[list[int], Edges, Edges]:
    """A label per step, and the edges both ways."""
    labels: list[int] = []
    ins: Edges = []
    outs: Edges = [[] for _ in steps]
    for v, step in enumerate(steps):
        node = step.node
        ordered = len(node.ins) > 1 and node.op.in_order()
        labels.append(_label(node.op, step.cell.seen, step.cell.out) or 0)
        edges = []
        for slot, name in enumerate(node.ins):
            name = alias.get(name, name)
            u, slot = _IMAGE if name == IMAGE else place[name], slot if ordered else 0
            edges.append((u, slot))
            if u != _IMAGE:
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
def _label(op: Op, seen: tuple[Shape, ...], out: Shape) -> int | None:
    """What a node does at its place, as a number; None where it gives what it takes."""
    placed = op.placed(seen, out)
    if placed == IDENTITY:
        return None
    return int.from_bytes(blake2b(repr((placed, tuple(out))).encode(), digest_size=8).digest())


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
