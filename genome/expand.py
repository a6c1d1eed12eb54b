"""expand: a genome with its motifs expanded to plain nodes. Idempotent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple, TypeAlias, cast

from genome.graph import Genome, GenomeError, Loop, Node
from genome.motif import Fragment, Motif

MOST_NODES = 5_000  # a bound on nested motifs, far above the deepest published network
Parts: TypeAlias = dict[
    str, tuple[str, ...]
]  # the names of the nodes of each motif, by the name of the motif


class Unfolded(NamedTuple):
    """A genome with some of its motifs expanded."""

    genome: Genome
    motifs: dict[str, Node]  # the expanded motifs by name
    parts: Parts


def expand(genome: Genome) -> Genome:
    """The same genome with every motif expanded.

    Readers of a motif read the last of its nodes. In a loop the nodes of a motif replace it as members.

    Raises:
        GenomeError: a loop inside a loop, duplicate names, more than 5,000 nodes.
    """
    loops = genome.loops
    nodes = genome.nodes
    while any(node.op.expands() for node in nodes):
        nodes, loops, _ = _once(nodes, loops)
    return genome if nodes is genome.nodes else replace(genome, nodes=nodes, loops=loops)


def unfold(genome: Genome, names: Collection[str]) -> Unfolded:
    """The same genome with the motifs of these names expanded, including motifs inside them.

    Names that are no motif are ignored.

    Raises:
        GenomeError: as `expand`.
    """
    nodes, loops = genome.nodes, genome.loops
    motifs: dict[str, Node] = {}
    parts: Parts = {}
    while chosen := {n.name: n for n in nodes if n.name in names and n.op.expands()}:
        nodes, loops, wrote = _once(nodes, loops, chosen)
        motifs |= chosen
        parts |= wrote
    return Unfolded(replace(genome, nodes=nodes, loops=loops) if motifs else genome, motifs, parts)


def _once(
    nodes: tuple[Node, ...], loops: tuple[Loop, ...], chosen: Collection[str] | None = None
) -> tuple[tuple[Node, ...], tuple[Loop, ...], Parts]:
    """Expand one level of motifs: all of them, or the chosen ones."""
    members = {member for loop in loops for member in loop.order}
    made: list[Node] = []
    more: list[Loop] = []
    parts: Parts = {}
    for node in nodes:
        if not node.op.expands() or (chosen is not None and node.name not in chosen):
            made.append(node)
            continue
        fragment = _fragment(node)
        if fragment.loops and node.name in members:
            raise GenomeError(
                f"{node.name} ({node.op.word}) contains a loop; a loop can't be in a loop", node.name
            )
        made += fragment.nodes
        if len(made) > MOST_NODES:
            raise GenomeError(
                f"the genome expands to more than {MOST_NODES} nodes; use fewer or smaller motifs", node.name
            )
        more += fragment.loops
        parts[node.name] = tuple([part.name for part in fragment.nodes])
    last = {name: names[-1] for name, names in parts.items()}
    read = tuple([node._replace(ins=tuple([last.get(i, i) for i in node.ins])) for node in made])
    return read, (*(_inside(loop, parts) for loop in loops), *more), parts


def _fragment(node: Node) -> Fragment:
    if not node.ins:
        raise GenomeError(f"{node.name}.in is empty; a node reads at least one input", node.name)
    return cast(Motif, node.op).expand(node.name, node.ins, node.width)


def _inside(loop: Loop, parts: Parts) -> Loop:
    """The loop with every motif among its members replaced by its nodes."""
    written = [parts.get(member, (member,)) for member in loop.order]
    update = None if loop.update is None else sum(map(len, written[: loop.update]))
    return loop._replace(order=tuple([name for names in written for name in names]), update=update)
