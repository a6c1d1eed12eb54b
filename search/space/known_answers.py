"""Known answers: those that led to the latest points of a space, so that they are not read off the points again.

A search asks for the answers of a parent for each of its children, and a model for those of each candidate. They are
what walking the space with the genome gives (law 2 of a space); nothing depends on whether they are known. A child that
has other answers for some nodes only is made by walking these again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, NamedTuple

from genome.domain import Domain
from search.space.mutation_sites import EXISTS, sites
from search.space.point import Point
from search.space.space import Space, walk, walk_again

MOST = 1 << 12  # points of a space, after which all are forgotten


class Known(NamedTuple):
    """A point that was walked to."""

    # in the order of the questions
    answers: dict[str, Any]
    # as the walk makes it: equal to the point that was given, which may have 1 where this one has 1.0
    point: Point


def point_of(space: Space, ask: Callable[[str, Domain], Any]) -> Point:
    """Return the point of answers that each lie in their domain, and keep them."""
    answers: dict[str, Any] = {}

    def noted(name: str, domain: Domain, _: Any = None) -> Any:
        answers[name] = given = ask(name, domain)
        return given

    point = Point(walk(space, noted), space.recipes.decode(noted))
    return _kept(space, point, Known(answers, point)).point


def point_near(
    space: Space, parent: Point, ask: Callable[[str, Domain], Any], names: Collection[str]
) -> Point:
    """Return the point that has a parent's answers but for the nodes of these names, which are asked again.

    It has the same nodes, schedule and recipe. The answers are kept, as those of `point_of`.
    """
    before, known, asked = _found(space, parent), sites(space), {}

    def noted(name: str, domain: Domain, _: Any) -> Any:
        asked[name] = given = ask(name, domain)
        return given

    point = Point(walk_again(space, noted, before.point.genome, names), before.point.searched)
    stay = {
        name: answer
        for name, answer in before.answers.items()
        if known[name].place not in names or known[name].move in EXISTS
    }
    every = {**stay, **asked}
    answers = {name: every[name] for name in space.holes if name in every}
    return _kept(space, point, Known(answers, point)).point


def answers_of(space: Space, point: Point) -> dict[str, Any]:
    """Return a copy of the answers that lead to a point. Raises SpaceError where it leaves the space."""
    return dict(_found(space, point).answers)


def _found(space: Space, point: Point) -> Known:
    found = _known(space).get(_key(point))
    if found is None:
        answers = space.answers(point)
        found = _kept(space, point, Known(answers, space.point(lambda name, _: answers[name])))
    return found


def _kept(space: Space, point: Point, found: Known) -> Known:
    known = _known(space)
    if len(known) >= MOST:
        known.clear()
    known[_key(point)] = found
    return found


@lru_cache(maxsize=8)
def _known(space: Space) -> dict[Any, Known]:
    return {}


def _key(point: Point) -> tuple[Any, ...]:
    return point.genome, tuple(point.searched.items())
