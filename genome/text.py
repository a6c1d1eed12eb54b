"""YAML <-> Genome, one line per node.

Every gene is written, so that a new default does not change old genomes. Only genes that came later are left out at
their default, which never changes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Any

from genome.domain import Int
from genome.graph import IMAGE, Genome, GenomeError, Loop, Node, Times, check_name
from genome.op import Gene, Op, Shape, broken_packages, lookup, words
from genome.resolve import resolve
from genome.widths import ALPHA, BASE, RULE, Widths
from genome.yaml.fields import fields, mapping, named, near, settled, title
from genome.yaml.source import Address, Source, parse, read, shown

FIELDS = ("genome", "input", "classes", "widths", "nodes", "loops")
SIZE = Int(1, 65_536)
WIDTH = Int(1, 65_536)
CLASSES = Int(1, 1_000_000)
PASSES = Int(0, 16)
NODES = "nodes by name, such as {stem: {op: conv, in: [image]}}"
LOOPS = "loops by name, such as {l: {order: [a, b], passes: 1}}"
MOST_BODIES = 16  # how deep bodies may be nested
_MULTIPLE = re.compile(r"([1-9][0-9]?)x\Z")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS_OF_YAML = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def load(path: str | os.PathLike[str]) -> Genome:
    """Read a genome from a YAML file and check that it resolves.

    Raises:
        SourceError: a file that is not valid; the message is `file:line  address is ..; it may be ..`.
    """
    return genome_of(read(path))


def loads(text: str, path: str = "<text>") -> Genome:
    """Read a genome from YAML text; errors name it `path`.

    Raises:
        SourceError: as `load`.
    """
    return genome_of(parse(text, path))


def genome_of(source: Source) -> Genome:
    """The genome of a YAML document. It resolves.

    Raises:
        SourceError: as `load`.
    """
    top = fields(source, (), source.value, FIELDS, required=("genome", "input", "classes", "nodes"))
    name = title(source, ("genome",), top["genome"])
    shape = input_of(source, ("input",), top["input"])
    classes = settled(source, ("classes",), "classes", CLASSES, top["classes"])
    widths = widths_of(source, ("widths",), top["widths"]) if top.get("widths") is not None else None
    listed = mapping(source, ("nodes",), top["nodes"], NODES)
    nodes = tuple(_node(source, key, value, listed) for key, value in listed.items())
    loops = tuple(
        loop_of(source, key, value, ("loops", key), listed)
        for key, value in mapping(source, ("loops",), top.get("loops") or {}, LOOPS).items()
    )
    try:
        genome = Genome(name, shape, classes, nodes, widths, loops)
        resolve(genome)
    except GenomeError as error:
        raise source.error(
            ("nodes", written_name(error.node, listed)) if error.node else ("nodes",), str(error)
        ) from None
    return genome


def written_name(node: str, listed: dict[str, Any]) -> str:
    """The name under which an expanded node is written in the file: `s1` for `s1.2/conv1`."""
    while node not in listed and re.search(r"[./]", node):
        node = re.split(r"[./][^./]*\Z", node)[0]
    return node


def _node(source: Source, name: str, value: Any, known: dict[str, Any]) -> Node:
    at: Address = ("nodes", name)
    wrong = check_name(name)
    if wrong:
        raise source.error(at, f"nodes: {wrong}")
    given = mapping(source, at, value, "a node such as {op: conv, in: [image]}")
    op = op_of(source, at, name, {k: v for k, v in given.items() if k not in ("in", "width")})
    ins = [
        named(source, (*at, "in", i), f"{name}.in", s, (*known, IMAGE))
        for i, s in enumerate(items(source, at, name, given))
    ]
    return Node(name, op, tuple(ins), width_of(source, (*at, "width"), name, given.get("width")))


def items(source: Source, at: Address, name: str, given: dict[str, Any]) -> list[Any]:
    """The list under `in` of a node."""
    found = given.get("in")
    if not isinstance(found, list) or not found:
        has = "is missing" if "in" not in given else f"is {shown(found)}"
        raise source.error((*at, "in"), f"{name}.in {has}; it must be a list of node names, such as [image]")
    return found


def op_of(source: Source, at: Address, label: str, given: dict[str, Any], depth: int = 0) -> Op:
    """The node type under `op` with its genes.

    Raises:
        SourceError: the first error.
    """
    if "op" not in given:
        raise source.error(at, f"{label} has no op; write {{op: conv, ..}}")
    kind = kind_of(source, (*at, "op"), label, given["op"])
    if depth > MOST_BODIES:
        raise source.error(at, f"{label} has bodies more than {MOST_BODIES} deep")
    genes = known_genes(source, at, label, kind, given)
    values = {
        g.name: _value(source, (*at, g.name), f"{label}.{kind.word}", g, given[g.name], depth) for g in genes
    }
    return kind(**values)


def kind_of(source: Source, at: Address, label: str, word: Any) -> type[Op]:
    """The node type of a word."""
    if isinstance(word, str):
        try:
            return lookup(word)
        except KeyError:
            pass
    known = f"{near(word, words())}; it may be {', '.join(words())}"
    raise source.error(at, "; ".join([f"{label}.op is {shown(word)}{known}", *broken_packages()]))


def known_genes(source: Source, at: Address, label: str, kind: type[Op], given: dict[str, Any]) -> list[Gene]:
    """The genes that `given` states. A key that is no gene is an error."""
    genes = {g.name: g for g in kind.genes}
    for key in given:
        if key != "op" and key not in genes:
            has = ", ".join(genes) or "no genes"
            raise source.error(
                (*at, key), f"{label}.{shown(key)} is no gene of {kind.word}{near(key, genes)}; it has {has}"
            )
    return [g for key, g in genes.items() if key in given]


def _value(source: Source, at: Address, label: str, gene: Gene, value: Any, depth: int) -> Any:
    label = f"{label}.{gene.name}"
    if gene.legal is None:
        return op_of(
            source, at, label, mapping(source, at, value, "a node type such as {op: conv}"), depth + 1
        )
    return settled(source, at, label, gene.legal, value)


def width_of(source: Source, at: Address, label: str, value: Any) -> int | Times | None:
    """A stated width, a multiple of the scheduled width (`4x`), or None for the scheduled width itself."""
    if value is None:
        return None
    multiple = _MULTIPLE.match(value) if isinstance(value, str) else None
    if multiple:
        return Times(int(multiple[1]))
    if value not in WIDTH:
        raise source.error(
            at, f"{label}.width is {shown(value)}; it may be {WIDTH}, or a multiple such as 4x"
        )
    return int(value)


def widths_of(source: Source, at: Address, value: Any) -> Widths:
    """A width schedule."""
    given = fields(source, at, value, ("rule", "base", "alpha"), required=("rule", "base"))
    return Widths(
        rule=settled(source, (*at, "rule"), "widths.rule", RULE, given["rule"]),
        base=settled(source, (*at, "base"), "widths.base", BASE, given["base"]),
        alpha=settled(source, (*at, "alpha"), "widths.alpha", ALPHA, given.get("alpha", 0.0)),
    )


def loop_of(source: Source, name: str, value: Any, at: Address, known: Iterable[str]) -> Loop:
    """A loop of `known` nodes, from {order: [names], passes: n, update: n}."""
    wrong = check_name(name)
    if wrong:
        raise source.error(at, f"loops: {wrong}")
    given = fields(source, at, value, ("order", "passes", "update"), required=("order",))
    order = given["order"]
    if not isinstance(order, list) or not order:
        raise source.error(
            (*at, "order"), f"loops.{name}.order is {shown(order)}; it must be a list of node names"
        )
    members = tuple(
        named(source, (*at, "order", i), f"loops.{name}.order", m, known) for i, m in enumerate(order)
    )
    if len(set(members)) != len(members):
        raise source.error((*at, "order"), f"loops.{name}.order names a node twice: {', '.join(members)}")
    passes = settled(source, (*at, "passes"), f"loops.{name}.passes", PASSES, given.get("passes", 1))
    if "update" not in given:
        return Loop(name, members, passes)
    most = Int(1, len(members))
    update = settled(source, (*at, "update"), f"loops.{name}.update", most, given["update"])
    return Loop(name, members, passes, None if update == len(members) else update)


def input_of(source: Source, at: Address, value: Any) -> Shape:
    """The shape of one image, from [channels, height, width]."""
    if not isinstance(value, list) or len(value) != 3 or any(v not in SIZE for v in value):
        raise source.error(at, f"input is {shown(value)}; it must be [channels, height, width], each {SIZE}")
    return Shape(*value)


def dump(genome: Genome) -> str:
    """The canonical text of a genome: `loads(dump(g)) == g`, and equal genomes have equal texts."""
    lines = [
        f"genome: {flow(genome.name)}",
        f"input: {flow(list(genome.input))}",
        f"classes: {genome.classes}",
    ]
    if genome.widths is not None:
        lines.append(
            f"widths: {flow({'rule': genome.widths.rule, 'base': genome.widths.base, 'alpha': genome.widths.alpha})}"
        )
    lines.append("nodes:")
    lines += [f"  {flow(node.name)}: {flow(_written_node(node))}" for node in genome.nodes]
    if genome.loops:
        lines.append("loops:")
        lines += [f"  {flow(loop.name)}: {flow(written_loop(loop))}" for loop in genome.loops]
    return "\n".join(lines) + "\n"


def written_loop(loop: Loop) -> dict[str, Any]:
    """A loop as the plain values of its line."""
    written = {"order": list(loop.order), "passes": loop.passes}
    return written if loop.update is None else {**written, "update": loop.update}


def _written_node(node: Node) -> dict[str, Any]:
    genes = written_op(node.op)
    width = (
        {}
        if node.width is None
        else {"width": str(node.width) if isinstance(node.width, Times) else node.width}
    )
    return {"op": genes.pop("op"), "in": list(node.ins), **width, **genes}


def written_op(op: Op) -> dict[str, Any]:
    """A node type with every gene that has an effect, as plain values; later genes at their default are left out."""
    own = vars(op)
    values = ((g.name, own[g.name]) for g in op.genes if g.written(own))
    return {"op": op.word, **{k: written_op(v) if isinstance(v, Op) else v for k, v in values}}


def flow(value: Any) -> str:
    """A value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.match(value) and value.lower() not in _WORDS_OF_YAML
        return value if plain else _multiple_or_quoted(value)
    return repr(value)


def _multiple_or_quoted(value: str) -> str:
    return value if _MULTIPLE.match(value) else json.dumps(value, ensure_ascii=False)
