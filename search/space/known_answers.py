"""Known answers: those that led to the latest points of a space, so that they are not read off the points again.

A search asks for the answers of a parent for each of its children, and a model for those of each candidate. They are
what walking the space with the genome gives (law 2 of a space); nothing depends on whether they are known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from genome.domain import Domain
from search.space.point import Point
from search.space.space import Space

MOST = 1 << 12  # points of a space, after which all are forgotten


def point_of(space: Space, ask: Callable[[str, Domain], Any]) -> Point:
    """Return the point of answers that each lie in their domain, and keep them."""
    answers: dict[str, Any] = {}

    def noted(name: str, domain: Domain) -> Any:
        answers[name] = given = ask(name, domain)
        return given

    point = space.point(noted)
    _keep(space, point, answers)
    return point


def answers_of(space: Space, point: Point) -> dict[str, Any]:
    """Return a copy of the answers that lead to a point. Raises SpaceError where it leaves the space."""
    found = _known(space).get(_key(point))
    if found is None:
        found = space.answers(point)
        _keep(space, point, found)
    return dict(found)


def _keep(space: Space, point: Point, answers: dict[str, Any]) -> None:
    known = _known(space)
    if len(known) >= MOST:
        known.clear()
    known[_key(point)] = answers


@lru_cache(maxsize=8)
def _known(space: Space) -> dict[Any, dict[str, Any]]:
    return {}


def _key(point: Point) -> tuple[Any, ...]:
    return point.genome, tuple(point.searched.items())
