"""A known genome as one of a space, or where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from genome import GenomeError, digest
from genome.graph import IMAGE, Genome
from search.space.holes import SpaceError
from search.space.mismatch import departure
from search.space.space import Space


class Fit(NamedTuple):
    """A genome of the space, or None and the sentence that says where the given one leaves it."""

    genome: Genome | None
    complaint: str = ""


def fitted(space: Space, genome: Genome) -> Fit:
    """Find the genome of the space that is the same network for the space's images and classes.

    The names of nodes are the space's: where they are others, and as many, the first is taken for the first and
    so on. Nodes and inputs may stand in another order where that makes no difference.
    """
    adapted = replace(genome, name=space.name, input=space.input, classes=space.classes)
    named = _named(space, adapted)
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


def _named(space: Space, genome: Genome) -> Genome:
    """The genome under the space's names of nodes, by their places, where it has others and as many."""
    names = [place.name for place in space.places]
    if len(names) != len(genome.nodes) or set(names) == set(genome.by_name):
        return genome
    to = {**dict(zip(genome.by_name, names, strict=True)), IMAGE: IMAGE}
    nodes = [n._replace(name=to[n.name], ins=tuple(to[i] for i in n.ins)) for n in genome.nodes]
    loops = [loop._replace(order=tuple(to[member] for member in loop.order)) for loop in genome.loops]
    return replace(genome, nodes=tuple(nodes), loops=tuple(loops))


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
