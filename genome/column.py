"""column: one column of a fractal network as a separate network (Larsson et al., ICLR 2017, arXiv:1605.07648)."""

from __future__ import annotations

from dataclasses import replace

from genome.expand import expand
from genome.graph import Genome, GenomeError, Node
from genome.ops.mean import Mean
from genome.order import visits


def column(genome: Genome, number: int) -> Genome:
    """The network of column `number` of every fractal, without joins; column 0 is the shallowest.

    Nodes keep their names, so that the weights of the whole network can be loaded. A fractal with fewer columns
    contributes its deepest one.

    Raises:
        GenomeError: no fractal with two columns or more, or none with this many columns.
    """
    whole = expand(genome)
    joins = {node.name: node for node in whole.nodes if _columns(node)}
    most = max(map(_columns, joins.values()), default=0)
    if not 0 <= number < most:
        has = f"columns 0..{most - 1}" if most else "no fractal with two columns or more"
        raise GenomeError(f"column is {number}; {genome.name} has {has}")
    source: dict[str, str] = {}
    for name, node in joins.items():
        first = _columns(node) - len(node.ins)
        source[name] = node.ins[min(max(number - first, 0), len(node.ins) - 1)]
    kept = [_reading(node, source) for node in whole.nodes if node.name not in joins]
    loops = [loop.within({node.name for node in kept}) for loop in whole.loops]
    alone = replace(whole, name=f"{genome.name}-column-{number}", nodes=tuple(kept), loops=tuple(loops))
    live = {visit.node.name for visit in visits(alone)}
    nodes = tuple(node for node in kept if node.name in live)
    needed = [loop.within(live) for loop in loops]
    return replace(alone, nodes=nodes, loops=tuple(loop for loop in needed if loop.order))


def _columns(node: Node) -> int:
    return node.op.columns if isinstance(node.op, Mean) else 0


def _reading(node: Node, source: dict[str, str]) -> Node:
    """The node, with every join among its inputs replaced by the join's input in the column."""
    ins = []
    for name in node.ins:
        while name in source:
            name = source[name]
        ins.append(name)
    return node._replace(ins=tuple(dict.fromkeys(ins)))
