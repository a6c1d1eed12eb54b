"""A space: a genome with holes. One walk decodes, encodes, samples and lists; only who answers differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from genome.domain import FLAG, Domain, Int, OneOf
from genome.graph import IMAGE, Genome, Loop, Node, Times
from genome.op import Gene, Op, Shape
from genome.widths import CONSTANT, Widths
from search.departure import departure, told

# ask(name of the hole, what it may be, what the given genome has there or None) -> the answer
Ask = Callable[[str, Domain, Any], Any]


class SpaceError(ValueError):
    """A genome that a space does not hold: one sentence that says where."""


@dataclass(frozen=True)
class Hole:
    """A value that is asked for. `real`: whole numbers are taken as real ones (a Float gene)."""

    name: str
    domain: Domain
    real: bool = False

    def fill(self, ask: Ask, known: Any, everything: bool = False) -> Any:
        """Ask, and give the value as the genome holds it."""
        if isinstance(known, float) and isinstance(self.domain, Int) and known.is_integer():
            known = int(known)
        value = ask(self.name, self.domain, known)
        return float(value) if self.real else value


@dataclass(frozen=True)
class Template:
    """One node type with holes among its genes; a gene is a Hole, a Body, or a value."""

    kind: type[Op]
    genes: tuple[tuple[Gene, Any], ...]

    @cached_property
    def open(self) -> tuple[tuple[Gene, Hole | Body], ...]:
        """The genes that are asked for."""
        return tuple((g, spec) for g, spec in self.genes if isinstance(spec, Hole | Body))

    @cached_property
    def start(self) -> dict[str, Any]:
        """All genes in order, those that are asked for at their default."""
        asked = {g.name for g, _ in self.open}
        return {g.name: g.default if g.name in asked else spec for g, spec in self.genes}

    @cached_property
    def fixed(self) -> Op | None:
        """The node type itself where nothing is asked."""
        return None if self.open else self.kind(**self.start)

    def fill(self, ask: Ask, known: Op | None, everything: bool) -> Op:
        """The node type with every hole answered; genes without effect are asked only if `everything` is."""
        if self.fixed is not None:
            return self.fixed
        found = vars(known) if known is not None and known.word == self.kind.word else _NOTHING
        values = dict(self.start)
        for g, spec in self.open:
            active = g.when is None or g.when(values)
            if active or everything:
                value = spec.fill(ask, found.get(g.name), everything)
                if active:
                    values[g.name] = value
        return _made(self.kind, tuple(values.values()))


@dataclass(frozen=True)
class Body:
    """A node type to be chosen: `op` is the hole of the word, which is not asked where there is one choice."""

    op: Hole
    choices: Mapping[str, Template]

    def fill(self, ask: Ask, known: Op | None, everything: bool) -> Op:
        if len(self.choices) == 1:
            (only,) = self.choices.values()
            if known is not None and known.word != only.kind.word:
                raise SpaceError(f"{self.op.name} is {known.word}; in this space it is {only.kind.word}")
            return only.fill(ask, known, everything)
        word = self.op.fill(ask, known.word if known is not None else None)
        if not everything:
            return self.choices[word].fill(ask, known, False)
        return {w: t.fill(ask, known, True) for w, t in self.choices.items()}[word]


_NOTHING: dict[str, Any] = {}
_INTERNED: dict[tuple[type[Op], tuple[Any, ...]], Op] = {}
_MOST_INTERNED = 1 << 16


def _made(kind: type[Op], values: tuple[Any, ...]) -> Op:
    """One object per node type and genes, checked once; `1` and `True` can't meet, a gene has one type."""
    found = _INTERNED.get((kind, values))
    if found is None:
        if len(_INTERNED) >= _MOST_INTERNED:
            _INTERNED.clear()
        found = kind(**dict(zip([g.name for g in kind.genes], values, strict=True)))
        _INTERNED[kind, values] = found
    return found


@dataclass(frozen=True)
class Edge:
    """An edge of the union graph; `take` is the hole of one that may be left out."""

    source: str
    take: Hole | None


@dataclass(frozen=True)
class Place:
    """A node of the union graph; `exists` is the hole of one that may be left out."""

    name: str
    exists: Hole | None
    body: Body
    edges: tuple[Edge, ...]
    width: Hole | int | Times | None

    @cached_property
    def always(self) -> tuple[str, ...]:
        """The sources of the edges that are there whenever the node is."""
        return tuple(e.source for e in self.edges if e.take is None)


@dataclass(frozen=True)
class Space:
    """The union graph of all genomes it holds. Read from text by `search.space_text.space_of`."""

    name: str
    input: Shape
    classes: int
    places: tuple[Place, ...]
    widths: tuple[Hole | str, Hole | int, Hole | float] | None = None
    loops: tuple[Loop, ...] = ()

    def decode(self, ask: Callable[[str, Domain], Any], everything: bool = False) -> Genome:
        """The genome of these answers. With `everything`, holes without effect are asked too and ignored."""
        return walk(self, lambda name, domain, _: ask(name, domain), everything=everything)

    def sample(self, rng: Random) -> Genome:
        """A genome drawn evenly, hole by hole."""
        return walk(self, lambda name, domain, _: domain.draw(rng))

    def encode(self, genome: Genome) -> dict[str, Any]:
        """The answers that decode to `genome`; its name does not count.

        Raises:
            SpaceError: where the genome leaves the space.
        """
        answers: dict[str, Any] = {}

        def answer(name: str, domain: Domain, known: Any) -> Any:
            if known is None or known not in domain:
                raise SpaceError(f"{name} is {told(known)}; in this space it is {domain}")
            answers[name] = known
            return known

        where = departure(walk(self, answer, genome), genome)
        if where is not None:
            raise SpaceError(where)
        return answers

    def __contains__(self, genome: Genome) -> bool:
        try:
            self.encode(genome)
        except SpaceError:
            return False
        return True

    @cached_property
    def holes(self) -> dict[str, Domain]:
        """Every question there is, in the order in which the walk asks."""
        found: dict[str, Domain] = {}

        def note(name: str, domain: Domain, _: Any) -> Any:
            found[name] = domain
            return domain.choices[0] if isinstance(domain, OneOf) else domain.low

        walk(self, note, everything=True)
        return found

    @cached_property
    def by_name(self) -> dict[str, Place]:
        return {place.name: place for place in self.places}


def walk(space: Space, ask: Ask, genome: Genome | None = None, everything: bool = False) -> Genome:
    """Go through the space in one fixed order, asking at each hole that the answers so far make count.

    First which nodes exist, then the schedule, then node by node its type, genes, width and edges. An edge
    that is always there, from a node that is left out, comes from what that node would have read.
    """
    known = genome.by_name if genome is not None else None
    there = _existing(space, ask, known)
    widths = _schedule(space, ask, genome, everything)
    nodes: list[Node] = []
    for place in space.places:
        exists = place.name in there
        if not (exists or everything):
            continue
        given = known.get(place.name) if known is not None else None
        op = place.body.fill(ask, given.op if given else None, everything)
        width = _width(place.width, op, ask, given, everything)
        ins = _edges(space, place, there, ask, given, everything)
        if exists:
            nodes.append(Node(place.name, op, ins, width))
    return Genome(space.name, space.input, space.classes, tuple(nodes), widths, space.loops)


def _existing(space: Space, ask: Ask, known: dict[str, Node] | None) -> set[str]:
    there = {IMAGE}
    for place in space.places:
        has = None if known is None else place.name in known
        if place.exists is None:
            if has is False:
                raise SpaceError(f"{place.name} is missing; every genome of this space has it")
            there.add(place.name)
        elif ask(place.exists.name, FLAG, has):
            there.add(place.name)
    return there


def _schedule(space: Space, ask: Ask, genome: Genome | None, everything: bool) -> Widths | None:
    if space.widths is None:
        return None
    given = genome.widths if genome is not None else None
    parts: dict[str, Any] = {}
    for spec, name in zip(space.widths, ("rule", "base", "alpha"), strict=True):
        silent = name == "alpha" and parts["rule"] == CONSTANT
        if isinstance(spec, Hole) and silent and not everything:
            continue
        known = getattr(given, name) if given is not None else None
        parts[name] = spec.fill(ask, known) if isinstance(spec, Hole) else spec
    return Widths(**parts)


def _width(
    spec: Hole | int | Times | None, op: Op, ask: Ask, given: Node | None, everything: bool
) -> int | Times | None:
    """The stated width, where the type that was chosen takes one."""
    takes = op.width in ("schedule", "stated")
    if isinstance(spec, Hole) and (takes or everything):
        spec = spec.fill(ask, given.width if given is not None else None)
    return spec if takes and not isinstance(spec, Hole) else None


def _edges(
    space: Space, place: Place, there: set[str], ask: Ask, given: Node | None, everything: bool
) -> tuple[str, ...]:
    """The inputs of a node: in written order, those that stand in for absent nodes where these stood."""
    always = place.always
    if there.issuperset(always):
        sure: tuple[str, ...] = always
    else:
        sure = tuple(dict.fromkeys(s for name in always for s in through(space, name, there)))
    if len(always) == len(place.edges):
        return sure
    ins: dict[str, None] = {}
    for edge in place.edges:
        name = edge.source
        if edge.take is None:
            ins.update(dict.fromkeys(through(space, name, there)))
            continue
        free = name in there and name not in sure
        if free or everything:
            taken = edge.take.fill(ask, None if given is None else name in given.ins)
            if taken and free:
                ins[name] = None
    return tuple(ins)


def through(space: Space, name: str, there: set[str], seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The node itself where it exists, else what stands in for it: all that it would always have read."""
    if name in there:
        return (name,)
    if name in seen:
        return ()
    found: dict[str, None] = {}
    for source in space.by_name[name].always:
        found.update(dict.fromkeys(through(space, source, there, seen | {name})))
    return tuple(found)
