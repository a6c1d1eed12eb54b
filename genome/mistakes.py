"""All mistakes of a genome that does not resolve, without those that follow from another one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from genome.expand import expand
from genome.graph import IMAGE, Genome, GenomeError, Node
from genome.op import lookup
from genome.order import check_ins
from genome.resolve import check_last, resolve, width


def mistakes(genome: Genome, refused: GenomeError) -> list[GenomeError]:
    """The mistakes of a genome, of which `resolve` told the first.

    Inputs and widths are checked node by node. Then a node with a mistake is set aside, with its loop and all that
    read it, and the others are resolved again, until all that are left are right.
    """
    left = _needed(genome)
    found = {str(error): error for error in (refused, *_alone(genome, left))}
    left -= _behind(genome, found.values())
    while left:
        try:
            resolve(_part(genome, left))
        except GenomeError as error:
            found[str(error)] = error
            if left.isdisjoint(behind := _behind(genome, (error,))):
                break  # it is of no single node
            left -= behind
        else:
            break
    return [*found.values()]


def _alone(genome: Genome, needed: Collection[str]) -> Iterator[GenomeError]:
    """The mistakes that nodes have whatever shapes they read."""
    try:
        whole = expand(genome)
    except GenomeError:
        return
    last = next((node for node in reversed(whole.nodes) if node.is_exit), None)
    wrong: set[str] = set()
    for node in whole.nodes:
        name = written_name(node.name, genome.by_name)
        try:
            check_ins(node, whole.by_name)
            if name in needed:
                width(whole, node, {node.block: 1})
            if node is last:
                check_last(node)
        except GenomeError as error:
            if name not in wrong:  # the parts of a motif have the same one
                wrong.add(name)
                yield error


def written_name(node: str, listed: Collection[str]) -> str:
    """The name under which an expanded node is written in the file: `s1` for `s1.2/conv1`."""
    while node not in listed and re.search(r"[./]", node):
        node = re.split(r"[./][^./]*\Z", node)[0]
    return node


def _needed(genome: Genome) -> set[str]:
    """The nodes that an exit needs; all of them if there is no exit."""
    todo = [node.name for node in genome.nodes if node.is_exit]
    needed: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in needed and name != IMAGE:
            needed.add(name)
            todo += genome.by_name[name].ins
    return needed or set(genome.by_name)


def _behind(genome: Genome, errors: Iterable[GenomeError]) -> set[str]:
    """The nodes of errors, the members of their loops, and all nodes that read these, directly or through others."""
    after: dict[str, list[str]] = {}  # by name: what is set aside with it
    for node in genome.nodes:
        for name in node.ins:
            after.setdefault(name, []).append(node.name)
    for loop in genome.loops:
        for name in loop.order:
            after.setdefault(name, []).extend(loop.order)
    todo = [written_name(error.node, genome.by_name) for error in errors if error.node is not None]
    behind: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in behind:
            behind.add(name)
            todo += after.get(name, ())
    return behind


def _part(genome: Genome, names: Collection[str]) -> Genome:
    """A genome of some nodes, which read no others, with an exit for the image and for each that is none."""
    nodes = [node for node in genome.nodes if node.name in names]
    read = [IMAGE, *(node.name for node in nodes if not node.is_exit)]
    leave = cast(Any, lookup("exit"))()
    exits = [Node(f"exit of {name}", leave, (name,)) for name in read]
    loops = tuple([loop.within(names) for loop in genome.loops if not set(names).isdisjoint(loop.order)])
    return replace(genome, nodes=(*nodes, *exits), loops=loops)
