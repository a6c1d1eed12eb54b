"""A genome: the frozen description of one architecture as a graph."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from genome.op import Op, Shape
from genome.widths import Widths

if TYPE_CHECKING:
    import networkx as nx

IMAGE = "image"  # the name under which nodes read the input
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./][A-Za-z0-9_]+)*\Z")
LONGEST_NAME = 200


class GenomeError(ValueError):
    """A genome that is not valid. The message is one sentence; `node` names the node, so that a reader of a file can
    add the line."""

    def __init__(self, message: str, node: str | None = None) -> None:
        super().__init__(message)
        self.node = node


class Times(NamedTuple):
    """A width that is a multiple of the block's scheduled width (`4x` in text)."""

    factor: int

    def __str__(self) -> str:
        return f"{self.factor}x"


Width: TypeAlias = (
    int | Times | None
)  # as a node states it; None is the width that it has without a statement


class Node(NamedTuple):
    """One node of a genome."""

    name: str
    op: Op  # its type with its genes
    ins: tuple[str, ...]  # the names of the nodes that it reads
    width: Width = None  # channels of its output; None if it states no width

    @property
    def block(self) -> str:
        """The name before the first slash. A width schedule steps once per block."""
        return self.name.partition("/")[0]

    @property
    def is_exit(self) -> bool:
        """Whether its output is the scores of the classes."""
        return self.op.width == "classes"


class Loop(NamedTuple):
    """A declared cycle."""

    name: str
    order: tuple[str, ...]  # its members in order of evaluation
    passes: int  # how often it is evaluated again after the first pass
    update: int | None = None  # how many members, counted from the first, later passes evaluate; None: all

    def within(self, names: Collection[str]) -> Loop:
        """The loop without the members that are not in `names`."""
        order = tuple([member for member in self.order if member in names])
        again = sum(member in names for member in self.order[: self.update])
        if again == 0:  # later passes evaluate nothing
            return self._replace(order=order, passes=0, update=None)
        return self._replace(order=order, update=None if again == len(order) else again)


class Diff(NamedTuple):
    """The differences between two genomes."""

    added: tuple[str, ...]  # names of nodes
    dropped: tuple[str, ...]
    changed: dict[
        str, dict[str, tuple[Any, Any]]
    ]  # by node and key (`op`, `in`, `width`, a gene): (before, after)


@dataclass(frozen=True)
class Genome:
    """An architecture as a graph.

    Two genomes are equal if everything written in them is equal. `genome.digest` compares networks regardless of
    names.

    Raises:
        GenomeError: duplicate names, unknown inputs, unknown members of loops.
    """

    name: str
    input: Shape  # of one image; height and width in pixels
    classes: int
    nodes: tuple[Node, ...]  # in the order in which they were written; a node may read a later one
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

    def __hash__(self) -> int:
        """Hash the nodes once per object, since genomes are keys of every cache of networks."""
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            found = hash((self.name, self.input, self.classes, self.nodes, self.widths, self.loops))
            object.__setattr__(self, "_hash", found)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """The state to pickle, without the hash: hashes of strings differ between processes."""
        return {key: value for key, value in self.__dict__.items() if key != "_hash"}

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """The genome as a networkx graph. Nodes have the attribute `node`; the image is a node; edges follow data."""
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
        """The differences from this genome to `other`, by node name."""
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
    """Why `name` can't be the name of a node, or None if it can."""
    if name == IMAGE:
        return f"{IMAGE!r} is the name of the input; choose another"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, not {len(name)}"
    if not NAME.match(name):
        return f"{name!r} is no name; it may have letters, digits and _ in parts joined by . or /, a letter or _ first"
    return None
