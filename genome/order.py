"""The order of evaluation of a genome's nodes, with every loop unrolled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from genome.graph import IMAGE, Genome, GenomeError, Loop, Node


class Visit(NamedTuple):
    """One evaluation of one node."""

    node: Node
    turn: int  # the pass of its loop, from 0
    reads: tuple[str | None, ...]  # the names of its inputs; None for an input that this pass does not read


def visits(genome: Genome) -> list[Visit]:
    """Every evaluation in topological order, without the nodes that no exit needs.

    In pass 0 a member of a loop reads the inputs from outside the loop and the earlier members. In each later pass it
    reads only members of the loop, each at its newest value (the stages of CliqueNet, arXiv:1802.10419).

    Raises:
        GenomeError: no exit, an undeclared cycle, a loop that is not valid, a node without inputs.
    """
    nodes = _live(genome)
    if not genome.loops and _is_sorted(nodes):
        return [Visit(node, 0, node.ins) for node in nodes]
    loop_of = _loops(genome, nodes)
    made: list[Visit] = []
    for unit in _units(nodes, loop_of):
        if isinstance(unit, Node):
            made.append(Visit(unit, 0, unit.ins))
        else:
            made += _unrolled(unit, genome.by_name)
    return made


def _is_sorted(nodes: Iterable[Node]) -> bool:
    done = {IMAGE}
    for node in nodes:
        if not done.issuperset(node.ins):
            return False
        done.add(node.name)
    return True


def _live(genome: Genome) -> tuple[Node, ...]:
    """The nodes that an exit needs, in written order."""
    exits = [n for n in genome.nodes if n.is_exit]
    if not exits:
        raise GenomeError("the genome has no exit; add a node with op: exit")
    known = genome.by_name
    wanted = {n.name for n in exits}
    for node in genome.nodes:
        check_ins(node, known)
    todo = list(wanted)
    while todo:
        for source in known[todo.pop()].ins:
            if source not in wanted and source != IMAGE:
                wanted.add(source)
                todo.append(source)
    if len(wanted) == len(genome.nodes):
        return genome.nodes
    return tuple(n for n in genome.nodes if n.name in wanted)


def check_ins(node: Node, known: dict[str, Node]) -> None:
    """Raise GenomeError for a list of inputs that no node may have."""
    ins = node.ins
    if not ins:
        raise GenomeError(f"{node.name}.in is empty; a node reads at least one input", node.name)
    if len(ins) > 1 and len(set(ins)) != len(ins):
        raise GenomeError(f"{node.name}.in names an input twice: {', '.join(ins)}", node.name)
    for source in ins:
        if source != IMAGE and known[source].is_exit:
            raise GenomeError(
                f"{node.name}.in names {source}, which is an exit; no node may read an exit", node.name
            )


def _loops(genome: Genome, nodes: tuple[Node, ...]) -> dict[str, Loop]:
    """The loop of each member, checked, and without the members that no exit needs."""
    live = {node.name for node in nodes}
    found: dict[str, Loop] = {}
    for loop in genome.loops:
        if not any(member in live for member in loop.order):
            continue
        needed = loop.within(live)
        for member in loop.order:
            if member in found:
                raise GenomeError(
                    f"loops.{loop.name}.order names {member}, which is already in loop {found[member].name};"
                    " a node may be in one loop",
                    member,
                )
            found[member] = needed
        for member in loop.order:
            _check_member(genome.by_name[member], loop)
    return found


def _check_member(node: Node, loop: Loop) -> None:
    inside = [source for source in node.ins if source in loop.order]
    if not inside:
        raise GenomeError(
            f"loops.{loop.name}: {node.name} reads no member of the loop; remove it from `order`", node.name
        )
    place = loop.order.index(node.name)
    reads_alike = set(node.ins) <= set(loop.order[:place])  # in every pass
    if not node.op.loops and not reads_alike and node.name in loop.order[: loop.update]:
        raise GenomeError(
            f"loops.{loop.name}: {node.name} is a {node.op.word}, which can't be in a loop; use a conv over several"
            " inputs, which convolves their concatenation",
            node.name,
        )
    if not node.op.many and len(node.ins) > 1:
        raise GenomeError(
            f"loops.{loop.name}: {node.name} ({node.op.word}) reads {len(node.ins)} inputs; in a loop it may read one",
            node.name,
        )


def _units(nodes: tuple[Node, ...], loop_of: dict[str, Loop]) -> list[Node | Loop]:
    """Nodes and whole loops in topological order, and in written order among those that are ready."""
    known = {node.name: node for node in nodes}
    units: dict[str, Node | Loop] = {}
    for node in nodes:
        loop = loop_of.get(node.name)
        units[_unit_name(node.name, loop)] = loop or node
    waits: dict[str, set[str]] = {}
    for key, unit in units.items():
        members = [unit] if isinstance(unit, Node) else [known[m] for m in unit.order]
        sources = {s for m in members for s in m.ins if s != IMAGE}
        waits[key] = {_unit_name(s, loop_of.get(s)) for s in sources} - (
            {key} if isinstance(unit, Loop) else set()
        )
    made: list[Node | Loop] = []
    while waits:
        ready = [key for key, missing in waits.items() if not missing]
        if not ready:
            raise _cycle(waits, units)
        # one at a time, to keep the written order; the list is short and this path is rare
        key = ready[0]
        made.append(units[key])
        del waits[key]
        for missing in waits.values():
            missing.discard(key)
    return made


def _unit_name(name: str, loop: Loop | None) -> str:
    return name if loop is None else f"loop {loop.name}"


def _cycle(waits: dict[str, set[str]], units: dict[str, Node | Loop]) -> GenomeError:
    """The error that names one cycle among the units that wait for each other."""
    at, seen = next(iter(waits)), []
    while at not in seen:
        seen.append(at)
        at = min(waits[at])
    path = [*seen[seen.index(at) :], at]
    nodes = [p for p in path if isinstance(units[p], Node)]
    loops = dict.fromkeys(p.removeprefix("loop ") for p in path if isinstance(units[p], Loop))
    mend = f"in `order` of {' or '.join(loops)}" if loops else "under `loops:`"
    return GenomeError(
        f"cycle {' -> '.join(reversed(path))} belongs to no loop; add it {mend} or drop an edge",
        nodes[0] if nodes else None,
    )


def _unrolled(loop: Loop, known: dict[str, Node]) -> list[Visit]:
    made = []
    for turn in range(loop.passes + 1):
        for i, member in enumerate(loop.order[: loop.update] if turn else loop.order):
            node = known[member]
            if turn == 0:
                reads = tuple(s if s not in loop.order or s in loop.order[:i] else None for s in node.ins)
            else:
                reads = tuple(s if s in loop.order else None for s in node.ins)
            if not any(reads):
                raise GenomeError(
                    f"loops.{loop.name}: {member} has no input in the first pass; put it later in `order`"
                    " or give it an input from outside the loop",
                    member,
                )
            made.append(Visit(node, turn, reads))
    return made
