"""A genome: the frozen description of one architecture. It has a graph; it is never also a module."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.op import Op, Shape
from genome.widths import Widths

if TYPE_CHECKING:
    import networkx as nx

IMAGE = "image"  # the name under which nodes read the input
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./][A-Za-z0-9_]+)*\Z")
LONGEST_NAME = 200


class GenomeError(ValueError):
    """A genome that can't be: one sentence; `node` is where, so that a reader of a file can add the line."""

    def __init__(self, message: str, node: str | None = None) -> None:
        super().__init__(message)
        self.node = node


class Times(NamedTuple):
    """A width that is a multiple of its block's scheduled width (`4x` in text)."""

    factor: int

    def __str__(self) -> str:
        return f"{self.factor}x"


class Node(NamedTuple):
    """One node: its name, its type with genes, the nodes it reads, and its width where it is stated."""

    name: str
    op: Op
    ins: tuple[str, ...]
    width: int | Times | None = None

    @property
    def block(self) -> str:
        """The name before the slash: the unit in which width schedules step."""
        return self.name.partition("/")[0]


class Loop(NamedTuple):
    """A declared cycle: its members in order of evaluation, and how often it is gone through again.

    With `update` only that many members, the first in order, are evaluated again; the others keep the value
    of their first pass.
    """

    name: str
    order: tuple[str, ...]
    passes: int
    update: int | None = None

    def within(self, names: Collection[str]) -> Loop:
        """The loop without the members that are not in `names`."""
        order = tuple([member for member in self.order if member in names])
        again = sum(member in names for member in self.order[: self.update])
        if again == 0:  # nothing is gone through again
            return self._replace(order=order, passes=0, update=None)
        return self._replace(order=order, update=None if again == len(order) else again)


class Diff(NamedTuple):
    """What changed from one genome to another: node names, and per changed node its changed parts."""

    added: tuple[str, ...]
    dropped: tuple[str, ...]
    changed: dict[str, dict[str, tuple[Any, Any]]]


@dataclass(frozen=True)
class Genome:
    """An architecture as a graph.

    `input` is one image (channels, height, width in pixels). Nodes keep the order in which they were
    written; they may name nodes that come later. Equality is equality of everything written; for equality
    of the network regardless of names see `genome.digest`.

    Raises:
        GenomeError: names that clash or are no names, inputs that no node has, loops of unknown members.
    """

    name: str
    input: Shape
    classes: int
    nodes: tuple[Node, ...]
    widths: Widths | None = None
    loops: tuple[Loop, ...] = ()

    def __post_init__(self) -> None:
        known = self.by_name
        if len(known) != len(self.nodes):
            raise _clash(self.nodes)
        for node in self.nodes:
            for source in node.ins:
                if source not in known and source != IMAGE:
                    raise GenomeError(f"{node.name}.in names {source!r}, which is no node", node.name)
        for loop in self.loops:
            for member in loop.order:
                if member not in known:
                    raise GenomeError(f"loops.{loop.name}.order names {member!r}, which is no node")

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes under their names."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The genome as a networkx graph: nodes carry `node`, the image is a node too; edges run as data does."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        graph.add_node(IMAGE)
        for node in self.nodes:
            graph.add_node(node.name, node=node)
        graph.add_edges_from((source, node.name) for node in self.nodes for source in node.ins)
        return graph

    def renamed(self, name: str) -> Genome:
        """The same architecture under another name."""
        return replace(self, name=name)

    def diff(self, other: Genome) -> Diff:
        """What turns this genome into `other`, by node name."""
        mine, theirs = self.by_name, other.by_name
        both = [name for name in mine if name in theirs and mine[name] != theirs[name]]
        return Diff(
            added=tuple(name for name in theirs if name not in mine),
            dropped=tuple(name for name in mine if name not in theirs),
            changed={name: _changes(mine[name], theirs[name]) for name in both},
        )


def _changes(a: Node, b: Node) -> dict[str, tuple[Any, Any]]:
    before, after = _parts(a), _parts(b)
    keys = dict.fromkeys([*before, *after])
    return {k: (before.get(k), after.get(k)) for k in keys if before.get(k) != after.get(k)}


def _parts(node: Node) -> dict[str, Any]:
    genes = {g.name: getattr(node.op, g.name) for g in node.op.genes}
    return {"op": node.op.word, "in": node.ins, "width": node.width, **genes}


def _clash(nodes: tuple[Node, ...]) -> GenomeError:
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            return GenomeError(f"two nodes are named {node.name}; names are unique", node.name)
        seen.add(node.name)
    raise AssertionError("no clash")


def check_name(name: str) -> str | None:
    """Why `name` can't name a node, or None where it can."""
    if name == IMAGE:
        return f"{IMAGE!r} is the name of the input; choose another"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, not {len(name)}"
    if not NAME.match(name):
        return f"{name!r} is no name; letters, digits and _ in parts joined by . or /, a letter or _ first"
    return None
