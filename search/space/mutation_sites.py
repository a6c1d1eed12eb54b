"""Sites: what each hole of a space is for, so that moves know where they apply."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from search.space.holes import Body, Hole, Template
from search.space.space import Place, Space

# in place of a node's name: the schedule of widths and the recipe belong to none
SCHEDULE, RECIPE = "widths", "train"

# moves of the holes that say whether a node is there
EXISTS = ("node", "exit")

# genes by which a motif grows, under the word of the move that changes them
GROWS = {
    ("stack", "depth"): "length",
    ("fractal", "columns"): "column",
    ("clique", "nodes"): "member",
    ("dense", "layers"): "member",
}


class Site(NamedTuple):
    """Where a hole is, and what changes it."""

    # name of the node
    place: str
    # word of the move that changes it
    move: str
    # None where the hole is no gene
    gene: str | None = None


@lru_cache(maxsize=8)
def sites(space: Space) -> dict[str, Site]:
    """Return every hole's site, by the hole's name."""
    found = {spec.name: Site(SCHEDULE, "schedule") for spec in space.widths or () if isinstance(spec, Hole)}
    for place in space.places:
        found.update(_of_place(place))
    found.update({hole.name: Site(RECIPE, "recipe", key) for key, hole in space.recipes.holes.items()})
    return found


def _of_place(place: Place) -> Iterator[tuple[str, Site]]:
    if place.exists is not None:
        is_exit = all(template.kind.width == "classes" for template in place.body.choices.values())
        yield place.exists.name, Site(place.name, "exit" if is_exit else "node")
    if isinstance(place.width, Hole):
        yield place.width.name, Site(place.name, "schedule")
    for edge in place.edges:
        if edge.take is not None:
            yield edge.take.name, Site(place.name, "edge")
    yield from _of_body(place.name, place.body)


def _of_body(place: str, body: Body) -> Iterator[tuple[str, Site]]:
    if len(body.choices) > 1:
        yield body.op.name, Site(place, "type")
    for template in body.choices.values():
        yield from _of_template(place, template)


def _of_template(place: str, template: Template) -> Iterator[tuple[str, Site]]:
    for gene, spec in template.open:
        if isinstance(spec, Body):
            yield from _of_body(place, spec)
        else:
            yield spec.name, Site(place, GROWS.get((template.kind.word, gene.name), "gene"), gene.name)
