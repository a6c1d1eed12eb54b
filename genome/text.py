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
from genome.mistakes import mistakes, written_name
from genome.op import Gene, Op, Shape, broken_packages, lookup, words
from genome.resolve import resolve
from genome.widths import ALPHA, BASE, CONSTANT, RULE, Widths
from genome.yaml.fields import fields, mapping, named, near, refuse, settled, title
from genome.yaml.source import Address, Source, SourceError, parse, read, shown
from genome.yaml.tried import Tried, in_order

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
        SourceError: as `load`, with a line for each mistake that does not follow from another.
    """
    top, tried = source.value, Tried(source)
    tried(fields, (), top, FIELDS, ("genome", "input", "classes", "nodes"))
    heads = (("genome", title), ("input", input_of), ("classes", classes_of))
    name, shape, classes = (tried.key(top, key, reader) for key, reader in heads)
    widths = tried(widths_of, ("widths",), top["widths"]) if top.get("widths") is not None else None
    listed = tried(mapping, ("nodes",), top.get("nodes", {}), NODES) or {}
    looped = tried(mapping, ("loops",), top.get("loops") or {}, LOOPS) or {}
    nodes = [tried(_node, key, value, listed) for key, value in listed.items()]
    loops = [tried(loop_of, key, value, ("loops", key), listed) for key, value in looped.items() if listed]
    tried.end()
    return _resolved(source, Genome(name, shape, classes, tuple(nodes), widths, tuple(loops)))


def _resolved(source: Source, genome: Genome) -> Genome:
    """The genome, which resolves."""
    try:
        resolve(genome)
    except GenomeError as error:
        found = [(each, written_name(each.node or "", genome.by_name)) for each in mistakes(genome, error)]
        lines = [str(source.error(("nodes", name), str(each))) for each, name in found]
        raise SourceError("\n".join(in_order(source, lines))) from None
    return genome


def classes_of(source: Source, at: Address, value: Any) -> int:
    """The number of classes."""
    return int(settled(source, at, "classes", CLASSES, value))


def _node(source: Source, name: str, value: Any, known: dict[str, Any]) -> Node:
    at, tried = ("nodes", name), Tried(source)
    tried(checked_name, at, "nodes", name)
    given = tried(mapping, at, value, "a node such as {op: conv, in: [image]}")
    if given is None:
        tried.end()
    op = tried(op_of, at, name, {k: v for k, v in given.items() if k not in ("in", "width")})
    ins = [
        tried(named, (*at, "in", i), f"{name}.in", s, (*known, IMAGE))
        for i, s in enumerate(tried(items, at, name, given) or ())
    ]
    width = tried(width_of, (*at, "width"), name, given.get("width"))
    tried.end()
    return Node(name, op, tuple(ins), width)


def checked_name(source: Source, at: Address, section: str, name: str) -> str:
    """The name of a node or a loop, if it is one."""
    wrong = check_name(name)
    if wrong:
        raise source.error(at, f"{section}: {wrong}")
    return name


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
        SourceError: with a line for each mistake.
    """
    if "op" not in given:
        raise source.error(at, f"{label} has no op; write {{op: conv, ..}}")
    kind = kind_of(source, (*at, "op"), label, given["op"])
    if depth > MOST_BODIES:
        raise source.error(at, f"{label} has bodies more than {MOST_BODIES} deep")
    tried = Tried(source)
    tried(check_genes, at, label, kind, given)
    values = {
        g.name: tried(_value, (*at, g.name), f"{label}.{kind.word}", g, given[g.name], depth)
        for g in kind.genes
        if g.name in given
    }
    tried.end()
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


def check_genes(source: Source, at: Address, label: str, kind: type[Op], given: Iterable[str]) -> None:
    """Refuse keys that are no genes of the node type."""
    genes = [g.name for g in kind.genes]
    has = ", ".join(genes) or "no genes"
    wrong = {
        key: f"{label}.{shown(key)} is no gene of {kind.word}{near(key, genes)}; it has {has}"
        for key in given
        if key != "op" and key not in genes
    }
    refuse(source, at, wrong)


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
    given, tried = mapping(source, at, value, "a mapping of rule, base, alpha"), Tried(source)
    tried(fields, at, given, ("rule", "base", "alpha"), ("rule", "base"))
    rule, base, alpha = (
        tried(settled, (*at, key), f"widths.{key}", legal, given.get(key, default))
        for key, legal, default in (("rule", RULE, CONSTANT), ("base", BASE, 1), ("alpha", ALPHA, 0.0))
    )
    tried.end()
    return Widths(rule, base, alpha)


def loop_of(source: Source, name: str, value: Any, at: Address, known: Iterable[str]) -> Loop:
    """A loop of `known` nodes, from {order: [names], passes: n, update: n}."""
    given, tried = mapping(source, at, value, "a mapping of order, passes, update"), Tried(source)
    label = f"loops.{name}"
    tried(checked_name, at, "loops", name)
    tried(fields, at, given, ("order", "passes", "update"), ("order",))
    members = (
        tried(_order, (*at, "order"), f"{label}.order", given["order"], known) if "order" in given else ()
    )
    passes = tried(settled, (*at, "passes"), f"{label}.passes", PASSES, given.get("passes", 1))
    update = None
    if "update" in given and members:
        update = tried(settled, (*at, "update"), f"{label}.update", Int(1, len(members)), given["update"])
    tried.end()
    return Loop(name, members, passes, None if update == len(members) else update)


def _order(source: Source, at: Address, label: str, order: Any, known: Iterable[str]) -> tuple[str, ...]:
    """The members of a loop."""
    if not isinstance(order, list) or not order:
        raise source.error(at, f"{label} is {shown(order)}; it must be a list of node names")
    tried = Tried(source)
    members = [tried(named, (*at, i), label, member, known) for i, member in enumerate(order)]
    tried.end()
    if len(set(members)) != len(members):
        raise source.error(at, f"{label} names a node twice: {', '.join(members)}")
    return tuple(members)


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
