"""YAML -> Space: the same text as a genome's, with holes.

{one_of: [3, 5]}  {int: [8, 64, 8]}  {float: [0.01, 0.5, log]}   a value that is searched
any                                                              all that a search tries for this gene
genes: any                                                       so for all genes that are not stated
(name)                                                           a node, or in `in` an edge, that may be left out
"""

from __future__ import annotations

from typing import Any

from genome import text
from genome.domain import FLAG, Float, Int, Legal, OneOf, PerAxis
from genome.graph import IMAGE
from genome.op import Gene, Op, Shape
from genome.widths import ALPHA, BASE, CONSTANT, RULE
from genome.yaml.fields import fields, mapping, named, near, node_name, refuse, settled, title
from genome.yaml.source import Address, Source, SourceError, shown
from genome.yaml.tried import Tried
from search.space.holes import Body, Hole, Template
from search.space.ranges import domain_of, narrowed, with_real_choices
from search.space.space import Edge, Place, Space
from search.space.validate import check

HEAD = ("space", "input", "classes")  # of a file that holds a space alone
PARTS = ("widths", "nodes", "loops")
ANY = "any"


def space_file(source: Source) -> Space:
    """The space of a YAML document of its own: a genome file, with `space: NAME` in place of `genome: NAME` and holes.

    Raises:
        SourceError: anything wrong with it, one line `file:line  address: found; allowed` for each mistake.
    """
    top, tried = source.value, Tried(source)
    tried(fields, (), top, (*HEAD, *PARTS), (*HEAD, "nodes"))
    heads = (("space", title), ("input", text.input_of), ("classes", text.classes_of))
    name, shape, classes = (tried.key(top, key, reader) for key, reader in heads)
    return _space(source, (), top, tried, name, shape, classes)


def space_of(source: Source, at: Address, name: str, shape: Shape, classes: int) -> Space:
    """The space written at an address of a YAML document, for images of `shape`. Raises as `space_file` does."""
    value = source.value
    for key in at:
        value = value[key]
    top, tried = mapping(source, at, value, f"a mapping of {', '.join(PARTS)}"), Tried(source)
    tried(fields, at, top, PARTS, ("nodes",))
    return _space(source, at, top, tried, name, shape, classes)


def _space(
    source: Source, at: Address, top: dict[str, Any], tried: Tried, name: str, shape: Shape, classes: int
) -> Space:
    """The space, or SourceError with all mistakes, those included that `tried` has collected."""
    listed = tried(mapping, (*at, "nodes"), top.get("nodes", {}), text.NODES) or {}
    looped = tried(mapping, (*at, "loops"), top.get("loops") or {}, text.LOOPS) or {}
    known = [_maybe(key)[0] for key in listed]
    widths = None
    if top.get("widths") is not None:
        widths = tried(_widths, (*at, "widths"), top["widths"])
    # an input may mean a node whose own name is refused, as `(a` or `()`
    meant = None if any(_is_refused(source, name) for name in known) else known
    places = [tried(_place, (*at, "nodes", key), key, given, meant) for key, given in listed.items()]
    loops = [
        tried(text.loop_of, key, given, (*at, "loops", key), known) for key, given in looped.items() if listed
    ]
    tried.end()
    space = Space(name, shape, classes, tuple(places), widths, tuple(loops))
    check(source, at, space, dict(zip(known, listed, strict=True)))
    return space


def _may_take_width(kind: type[Op]) -> bool:
    """Whether some genes of the type let a width be stated."""
    return kind.width in ("schedule", "stated") or kind.takes_width is not Op.takes_width


def _place(source: Source, at: Address, key: str, value: Any, known: list[str] | None) -> Place:
    name, maybe = _maybe(key)
    tried = Tried(source)
    tried(text.checked_name, at, "nodes", name)
    given = tried(mapping, at, value, "a node such as {op: conv, in: [image]}")
    if given is None:
        tried.end()
    body = tried(_body, at, name, {k: v for k, v in given.items() if k not in ("in", "width")}, name)
    width = tried(_width, (*at, "width"), name, given.get("width"))
    if body is not None and width is not None:
        tried(_check_width, (*at, "width"), name, body)
    edges = [
        tried(_edge, (*at, "in", i), name, e, known)
        for i, e in enumerate(tried(text.items, at, name, given) or ())
    ]
    tried.end()
    return Place(
        name=name,
        exists=Hole(f"({name})", FLAG) if maybe else None,
        body=body,
        edges=tuple(edges),
        width=width,
    )


def _check_width(source: Source, at: Address, name: str, body: Body) -> None:
    """Refuse a width that no choice of node type takes."""
    if not any(_may_take_width(t.kind) for t in body.choices.values()):
        words = " or ".join(body.choices)
        raise source.error(at, f"{name}.width is stated; {words} takes none, drop it")


def _is_refused(source: Source, name: str) -> bool:
    try:
        text.checked_name(source, (), "nodes", name)
    except SourceError:
        return True
    return False


def _maybe(key: str) -> tuple[str, bool]:
    return (key[1:-1].strip(), True) if key.startswith("(") and key.endswith(")") else (key, False)


def _edge(source: Source, at: Address, name: str, value: Any, known: list[str] | None) -> Edge:
    other, maybe = _maybe(node_name(source, at, f"{name}.in", value))
    if known is not None:
        named(source, at, f"{name}.in", other, (*known, IMAGE))
    return Edge(other, Hole(f"{name}<{other}", FLAG) if maybe else None)


def _body(
    source: Source, at: Address, label: str, given: dict[str, Any], prefix: str, depth: int = 0
) -> Body:
    """The choice of node types under `op`, each with its genes; `prefix` begins the names of the holes."""
    if "op" not in given:
        raise source.error(at, f"{label} has no op; write {{op: conv, ..}}")
    if depth > text.MOST_BODIES:
        raise source.error(at, f"{label} has bodies more than {text.MOST_BODIES} deep")
    tried = Tried(source)
    choices = _choices(source, (*at, "op"), label, given["op"])
    stated = {k: v for k, v in given.items() if k not in ("op", "genes")}
    opened = tried(_opened, (*at, "genes"), label, given)
    tried(_check_genes, at, label, [kind for _, kind, _ in choices], stated)
    templates = {}
    for where, kind, own in choices:
        has = {g.name for g in kind.genes}
        both = {k: ((*at, k), v) for k, v in stated.items() if k in has}
        both |= {k: ((*where, k), v) for k, v in own.items()}
        templates[kind.word] = tried(_template, label, kind, both, opened, prefix, depth)
    tried.end()
    return Body(Hole(f"{prefix}.op", OneOf(*templates)), templates)


def _opened(source: Source, at: Address, label: str, given: dict[str, Any]) -> bool:
    if given.get("genes", ANY) != ANY:
        raise source.error(at, f"{label}.genes is {shown(given['genes'])}; it may be any")
    return "genes" in given


def _choices(
    source: Source, at: Address, label: str, value: Any
) -> list[tuple[Address, type[Op], dict[str, Any]]]:
    """(address, node type, genes stated in the choice itself) per choice."""
    if not isinstance(value, dict):
        return [(at, text.kind_of(source, at, label, value), {})]
    listed = value.get("one_of")
    if list(value) != ["one_of"] or not isinstance(listed, list) or not listed:
        raise source.error(at, f"{label}.op is {shown(value)}; it may be a word, or {{one_of: [conv, pool]}}")
    found: dict[str, tuple[Address, type[Op], dict[str, Any]]] = {}
    for i, choice in enumerate(listed):
        where = (*at, "one_of", i)
        own = dict(choice) if isinstance(choice, dict) else {"op": choice}
        if "op" not in own:
            raise source.error(where, f"{label}.op holds {shown(choice)}; write a word, or {{op: conv, ..}}")
        kind = text.kind_of(source, where, label, own.pop("op"))
        if kind.word in found:
            raise source.error(
                where, f"{label}.op names {kind.word} twice; state ranges of its genes instead"
            )
        text.check_genes(source, where, label, kind, own)
        found[kind.word] = (where, kind, own)
    return list(found.values())


def _check_genes(
    source: Source, at: Address, label: str, kinds: list[type[Op]], stated: dict[str, Any]
) -> None:
    if len(kinds) == 1:
        text.check_genes(source, at, label, kinds[0], stated)
        return
    known = {g.name for kind in kinds for g in kind.genes}
    words = ", ".join(kind.word for kind in kinds)
    wrong = {
        key: f"{label}.{shown(key)} is no gene of {words}{near(key, known)}"
        for key in stated
        if key not in known
    }
    refuse(source, at, wrong)


def _template(
    source: Source,
    label: str,
    kind: type[Op],
    stated: dict[str, tuple[Address, Any]],
    opened: bool,
    prefix: str,
    depth: int,
) -> Template:
    genes, tried = [], Tried(source)
    for gene in kind.genes:
        name = f"{prefix}.{kind.word}.{gene.name}"
        if gene.name in stated:
            at, value = stated[gene.name]
            genes.append(
                (gene, tried(_spec, at, f"{label}.{kind.word}.{gene.name}", gene, value, name, depth))
            )
        elif opened and gene.search is not None:
            genes.append((gene, narrowed(name, gene.search)))
        else:
            genes.append((gene, gene.default))
    tried.end()
    return Template(kind, tuple(genes))


def _spec(source: Source, at: Address, label: str, gene: Gene, value: Any, name: str, depth: int) -> Any:
    """A gene's value, hole or body."""
    if gene.legal is None:
        given = mapping(source, at, value, "a node type such as {op: conv}")
        return _body(source, at, label, given, name, depth + 1)
    if value == ANY and gene.search is not None:
        return narrowed(name, gene.search)
    return _value(source, at, label, gene.legal, value, name)


def _value(source: Source, at: Address, label: str, legal: Legal, value: Any, name: str) -> Any:
    """A plain value that is legal, or the hole of a range that is."""
    if not isinstance(value, dict):
        return settled(source, at, label, legal, value)
    domain = domain_of(source, at, label, value)
    real = isinstance(legal, Float)
    if real:
        domain = with_real_choices(source, at, label, domain)
    wide = Float(domain.low, domain.high) if real and isinstance(domain, Int) else domain
    if not legal.covers(wide):
        real_ones = ", real numbers" if isinstance(domain, Float) else ""
        allowed = legal.each if isinstance(legal, PerAxis) else legal  # no range holds pairs
        raise source.error(at, f"{label} ranges over {domain}{real_ones}; it may be {allowed}")
    return narrowed(name, domain, real)


def _width(source: Source, at: Address, name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return text.width_of(source, at, name, value)
    if not any(isinstance(choice, str) for choice in _listed(value)):
        return _value(source, at, f"{name}.width", text.WIDTH, value, f"{name}.width")
    for i, choice in enumerate(_listed(value)):
        text.width_of(source, (*at, "one_of", i), name, choice)
    narrow = narrowed(f"{name}.width", domain_of(source, at, f"{name}.width", value))
    return narrow if isinstance(narrow, Hole) else text.width_of(source, at, name, narrow)


def _listed(value: dict[str, Any]) -> list[Any]:
    """The values of a `one_of`; none of another form."""
    found = value.get("one_of")
    return found if isinstance(found, list) else []


def _widths(source: Source, at: Address, value: Any) -> tuple[Any, Any, Any]:
    given, tried = mapping(source, at, value, "a mapping of rule, base, alpha"), Tried(source)
    tried(fields, at, given, ("rule", "base", "alpha"), ("rule", "base"))
    legal: dict[str, tuple[Legal, Any]] = {"rule": (RULE, CONSTANT), "base": (BASE, 1), "alpha": (ALPHA, 0.0)}
    rule, base, alpha = (
        tried(_value, (*at, key), f"widths.{key}", domain, given.get(key, default), f"widths.{key}")
        for key, (domain, default) in legal.items()
    )
    tried.end()
    return rule, base, alpha
