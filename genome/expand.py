"""expand: a genome with its motifs written out as plain nodes. Idempotent."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from genome.graph import Genome, GenomeError, Loop, Node, Times
from genome.motif import Motif

MOST_NODES = 5_000  # a bound on nested motifs, far above the deepest published network


def expand(genome: Genome) -> Genome:
    """The same genome without motifs; readers of a motif read the last of its nodes.

    Raises:
        GenomeError: a motif inside a loop, names that clash, more than 5,000 nodes.
    """
    loops = genome.loops
    nodes = genome.nodes
    while any(node.op.motif for node in nodes):
        members = {member for loop in loops for member in loop.order}
        nodes, more = _once(nodes, members)
        loops = (*loops, *more)
    return genome if nodes is genome.nodes else replace(genome, nodes=nodes, loops=loops)


def _once(nodes: tuple[Node, ...], members: set[str]) -> tuple[tuple[Node, ...], tuple[Loop, ...]]:
    """Write out one level of motifs."""
    made: list[Node] = []
    loops: list[Loop] = []
    last: dict[str, str] = {}
    for node in nodes:
        if not node.op.motif:
            made.append(node)
            continue
        if node.name in members:
            raise GenomeError(f"{node.name} is a motif ({node.op.word}); a loop holds plain nodes", node.name)
        if not node.ins:
            raise GenomeError(f"{node.name}.in is empty; a node reads at least one input", node.name)
        if isinstance(node.width, Times):
            raise GenomeError(f"{node.name}.width is {node.width}; a motif's width is a number", node.name)
        fragment = cast(Motif, node.op).expand(node.name, node.ins, node.width)
        made += fragment.nodes
        if len(made) > MOST_NODES:
            raise GenomeError(
                f"the genome expands to more than {MOST_NODES} nodes; use fewer or smaller motifs", node.name
            )
        loops += fragment.loops
        last[node.name] = fragment.nodes[-1].name
    if last:
        made = [
            n._replace(ins=tuple(last.get(i, i) for i in n.ins)) if any(i in last for i in n.ins) else n
            for n in made
        ]
    return tuple(made), tuple(loops)
