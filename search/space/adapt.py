"""A known genome as one of a space, or where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from genome import GenomeError, digest
from genome.domain import Domain, OneOf
from genome.graph import IMAGE, Genome, Times
from genome.widths import CONSTANT, Widths
from search.space.holes import Hole, SpaceError
from search.space.mismatch import departure
from search.space.space import Space, walk


class Fit(NamedTuple):
    """A genome of the space, or None and the sentence that says where the given one leaves it."""

    genome: Genome | None
    complaint: str = ""


def fitted(space: Space, genome: Genome) -> Fit:
    """Find the genome of the space that is the same network for the space's images and classes.

    The names of nodes are the space's: where they are others, and as many, the first is taken for the first and
    so on. Nodes and inputs may stand in another order where that makes no difference. Stated widths become multiples
    of a constant schedule where the space has multiples.
    """
    adapted = replace(genome, name=space.name, input=space.input, classes=space.classes)
    named = _scheduled(space, _named(space, adapted))
    try:
        wanted = digest(adapted)
        made = space.nearest(named)[1]
    except SpaceError as error:
        return Fit(None, str(error))
    except GenomeError as error:
        return Fit(None, _unresolved(genome, adapted, error))
    where = departure(made, named)
    if _is(wanted, made):
        return Fit(made)
    return Fit(None, where or "under the names of this space its widths would be others")


def resembling(space: Space, genome: Genome, rng: Random) -> Genome | None:
    """Return a genome of the space that is as a given one where the space allows it, and drawn evenly elsewhere.

    None where the given one lacks nodes that every genome of the space has.
    """
    adapted = replace(genome, name=space.name, input=space.input, classes=space.classes)

    def answer(_: str, domain: Domain, known: Any) -> Any:
        return known if known is not None and known in domain else domain.draw(rng)

    try:
        return walk(space, answer, _scheduled(space, _named(space, adapted)))
    except SpaceError:
        return None


def _named(space: Space, genome: Genome) -> Genome:
    """The genome under the space's names of nodes, by their places, where it has others and as many."""
    names = [place.name for place in space.places]
    if len(names) != len(genome.nodes) or set(names) == set(genome.by_name):
        return genome
    to = {**dict(zip(genome.by_name, names, strict=True)), IMAGE: IMAGE}
    nodes = [n._replace(name=to[n.name], ins=tuple(to[i] for i in n.ins)) for n in genome.nodes]
    loops = [loop._replace(order=tuple(to[member] for member in loop.order)) for loop in genome.loops]
    return replace(genome, nodes=tuple(nodes), loops=tuple(loops))


def _scheduled(space: Space, genome: Genome) -> Genome:
    """The genome with a schedule in place of stated widths, where it has none and the space has multiples of one."""
    stated = {
        node.name: node.width
        for node in genome.nodes
        if isinstance(node.width, int) and _is_multiple(space, node.name)
    }
    if genome.widths is not None or space.widths is None or not stated:
        return genome
    base = min(stated.values())
    multiples = {name: Times(width // base) for name, width in stated.items() if width % base == 0}
    nodes = [node._replace(width=multiples.get(node.name, node.width)) for node in genome.nodes]
    return replace(genome, nodes=tuple(nodes), widths=Widths(CONSTANT, base))


def _is_multiple(space: Space, name: str) -> bool:
    """Whether the width of a node of the space is a multiple of the schedule's."""
    place = space.by_name.get(name)
    if place is None or not isinstance(place.width, Hole):
        return place is not None and isinstance(place.width, Times)
    domain = place.width.domain
    return isinstance(domain, OneOf) and any(isinstance(choice, str) for choice in domain.choices)


def _is(wanted: str, made: Genome) -> bool:
    """Whether the genome is the network of that digest."""
    try:
        return digest(made) == wanted
    except GenomeError:
        return False


def _unresolved(genome: Genome, adapted: Genome, error: GenomeError) -> str:
    if (genome.input, genome.classes) == (adapted.input, adapted.classes):
        return str(error)
    return f"for images of {adapted.input} and {adapted.classes} classes: {error}"
