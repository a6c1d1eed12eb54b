"""A space: a genome with holes. One walk decodes, encodes, samples and lists; only who answers differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

from genome.domain import FLAG, Domain, OneOf
from genome.graph import IMAGE, Genome, Loop, Node, Times
from genome.op import Op, Shape
from genome.widths import CONSTANT, Widths
from search.space.holes import Ask, Body, Hole, SpaceError
from search.space.mismatch import departure, told
from search.space.point import Point
from search.space.recipe_space import RecipeSpace, first


@dataclass(frozen=True)
class Edge:
    """An edge of the union graph."""

    source: str
    # of an edge that may be left out
    take: Hole | None


@dataclass(frozen=True)
class Place:
    """A node of the union graph."""

    name: str
    # of a node that may be left out
    exists: Hole | None
    body: Body
    edges: tuple[Edge, ...]
    width: Hole | int | Times | None

    @cached_property
    def always(self) -> tuple[str, ...]:
        """The sources of the edges that are there whenever the node is."""
        return tuple(e.source for e in self.edges if e.take is None)


@dataclass(frozen=True, eq=False)
class Space:
    """The union graph of all genomes it holds. Read from text by `search.space.parse`.

    A space equals itself alone, so that results can be cached by space.
    """

    name: str
    input: Shape
    classes: int
    places: tuple[Place, ...]
    widths: tuple[Hole | str, Hole | int, Hole | float] | None = None
    loops: tuple[Loop, ...] = ()
    # the recipes that are searched together with the networks
    recipes: RecipeSpace = field(default_factory=RecipeSpace)
    # the most params, macs, depth and memory of a network that the study trains; samplers propose what is inside
    limits: Mapping[str, int] = field(default_factory=dict)

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
        answers, made = self.nearest(genome)
        where = departure(made, genome)
        if where is not None:
            raise SpaceError(where)
        return answers

    def nearest(self, genome: Genome) -> tuple[dict[str, Any], Genome]:
        """The answers that `genome` has to what is asked, and the genome that they decode to.

        Raises:
            SpaceError: at the first hole for which the genome has no answer that is legal there.
        """
        answers: dict[str, Any] = {}

        def answer(name: str, domain: Domain, known: Any) -> Any:
            if known is None or known not in domain:
                raise SpaceError(f"{name} is {told(known)}; in this space it is {domain}")
            answers[name] = known
            return known

        return answers, walk(self, answer, genome)

    # --- a network with its recipe

    def point(self, ask: Callable[[str, Domain], Any], everything: bool = False) -> Point:
        """The network and the recipe of these answers, as `decode` for the network alone."""
        return Point(self.decode(ask, everything), self.recipes.decode(ask, everything))

    def draw(self, rng: Random) -> Point:
        """A network and a recipe drawn evenly, hole by hole."""
        return self.point(lambda _, domain: domain.draw(rng))

    def answers(self, point: Point) -> dict[str, Any]:
        """The answers that lead to `point`. Raises SpaceError where it leaves the space."""
        return {**self.encode(point.genome), **self.recipes.encode(point.searched)}

    def __contains__(self, genome: Genome) -> bool:
        try:
            self.encode(genome)
        except SpaceError:
            return False
        return True

    @cached_property
    def holes(self) -> dict[str, Domain]:
        """Every question there is, in the order in which it is asked: those for the network, then for the recipe."""
        found: dict[str, Domain] = {}

        def note(name: str, domain: Domain, _: Any) -> Any:
            found[name] = domain
            return first(domain)

        walk(self, note, everything=True)
        return {**found, **{hole.name: hole.domain for hole in self.recipes.holes.values()}}

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
        node = _node(space, place, there, ask, given, everything)
        if exists:
            nodes.append(node)
    return Genome(space.name, space.input, space.classes, tuple(nodes), widths, space.loops)


def walk_again(space: Space, ask: Ask, before: Genome, names: Collection[str]) -> Genome:
    """Go through some nodes only, of a genome that `walk` made; which nodes there are and the schedule stay."""
    there = {IMAGE, *before.by_name}
    nodes = [
        _node(space, space.by_name[node.name], there, ask, None, False) if node.name in names else node
        for node in before.nodes
    ]
    return Genome(space.name, space.input, space.classes, tuple(nodes), before.widths, space.loops)


def _node(
    space: Space, place: Place, there: set[str], ask: Ask, given: Node | None, everything: bool
) -> Node:
    op = place.body.fill(ask, given.op if given else None, everything)
    width = _width(place.width, op, ask, given, everything)
    return Node(place.name, op, _edges(space, place, there, ask, given, everything), width)


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
    takes = op.takes_width()
    if isinstance(spec, Hole) and (takes or everything):
        spec = _stated(spec.fill(ask, _known_width(spec, given)))
    return spec if takes and not isinstance(spec, Hole) else None


def _known_width(hole: Hole, given: Node | None) -> int | str | None:
    """The width of a node as an answer: where multiples are asked for, a node that states no width has `1x`."""
    if given is None:
        return None
    has_multiples = isinstance(hole.domain, OneOf) and isinstance(hole.domain.choices[-1], str)
    known = Times(1) if given.width is None and has_multiples else given.width
    return str(known) if isinstance(known, Times) else known


def _stated(answer: int | str) -> int | Times:
    """A width as the genome holds it; the answer to a hole of multiples is its text, such as `4x`."""
    return Times(int(answer[:-1])) if isinstance(answer, str) else answer


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
