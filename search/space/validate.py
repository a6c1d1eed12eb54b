"""What makes every genome of a space a genome: inputs that exist, a way in, an exit, loops that stay."""

from __future__ import annotations

from random import Random
from typing import Any

from genome.domain import FLAG, Domain
from genome.expand import expand
from genome.graph import IMAGE, GenomeError, Loop
from genome.mistakes import written_name
from genome.order import visits
from genome.resolve import resolve
from genome.yaml.source import Address, Source
from genome.yaml.tried import Tried
from search.space.space import Place, Space, through

DRAWS = 32  # genomes drawn to see that a space holds any network at all


def check(source: Source, at: Address, space: Space, keys: dict[str, str]) -> None:
    """What makes every genome of the space a genome: inputs that exist, a way in, an exit, loops that stay."""
    if len(space.by_name) != len(space.places):
        names = [p.name for p in space.places]
        twice = next(n for n in names if names.count(n) > 1)
        raise source.error((*at, "nodes", f"({twice})"), f"two nodes are named {twice}; names are unique")
    tried = Tried(source)
    for place in space.places:
        tried(_check_edges, (*at, "nodes", keys[place.name], "in"), place)
    tried.end()
    sure = {IMAGE} | {p.name for p in space.places if p.exists is None}
    for place in space.places:
        if tried(_check_way_in, (*at, "nodes", keys[place.name], "in"), space, place, sure) is None:
            sure.add(place.name)  # what is wrong with its readers follows
    for loop in space.loops:
        for i, name in enumerate(loop.order):
            tried(_check_member, (*at, "loops", loop.name, "order", i), space, loop, name)
    tried(_check_exit, (*at, "nodes"), space)
    tried.end()
    _check_names(source, (*at, "nodes"), space, keys)
    _check_graph(source, (*at, "nodes"), space, keys)


def _check_edges(source: Source, at: Address, place: Place) -> None:
    sources = [e.source for e in place.edges]
    if len(set(sources)) != len(sources):
        raise source.error(at, f"{place.name}.in names an input twice: {', '.join(sources)}")


def _check_way_in(source: Source, at: Address, space: Space, place: Place, sure: set[str]) -> bool:
    if not any(through(space, s, sure) for s in place.always):
        raise source.error(
            at,
            f"{place.name} may end up without an input; give it one that is always there, without parentheses",
        )
    return True


def _check_exit(source: Source, at: Address, space: Space) -> None:
    if not any(p.exists is None and _always_exit(p) for p in space.places):
        raise source.error(at, "the space has no exit that is always there; add a node with op: exit")


def _check_names(source: Source, at: Address, space: Space, keys: dict[str, str]) -> None:
    """No name stands for two holes: `a.stack.body` may be a node, or the body of the stack `a`."""
    asked: set[str] = set()

    def note(name: str, domain: Domain) -> Any:
        if name in asked:
            place = max((key for key in keys if name.startswith(f"{key}.")), key=len)
            raise source.error(
                (*at, keys[place]), f"two holes are named {name}; give node {place} another name"
            )
        asked.add(name)
        return domain.draw(Random(0))

    space.decode(note, everything=True)


def _check_member(source: Source, at: Address, space: Space, loop: Loop, name: str) -> None:
    """Members always exist, and each always reads another member, so that a loop is a loop in every genome."""
    member = space.by_name[name]
    if member.exists is not None:
        raise source.error(
            at, f"loops.{loop.name}.order names ({name}), which may be left out; a loop keeps its members"
        )
    if not any(s in loop.order for s in member.always):
        raise source.error(
            at,
            f"loops.{loop.name}: {name} may end up without a member of the loop to read; give it one without"
            " parentheses",
        )


def _check_graph(source: Source, at: Address, space: Space, keys: dict[str, str]) -> None:
    """No undeclared cycle where all is taken, and among a few genomes drawn one that resolves."""
    try:
        visits(expand(space.decode(lambda _, d: True if d == FLAG else d.draw(Random(0)))))
        refused = _refusals(space)
    except GenomeError as error:
        refused = error
    if refused is not None:
        key = keys.get(written_name(refused.node, keys)) if refused.node else None
        raise source.error((*at, *([key] if key else [])), str(refused)) from None


def _refusals(space: Space) -> GenomeError | None:
    """Why none of a few genomes resolves, or None where one does."""
    rng, last = Random(0), None
    for _ in range(DRAWS):
        try:
            resolve(space.sample(rng))
        except GenomeError as error:
            last = error
        else:
            return None
    return last


def _always_exit(place: Place) -> bool:
    """Whether every choice of node type is an exit."""
    return all(t.kind.width == "classes" for t in place.body.choices.values())
