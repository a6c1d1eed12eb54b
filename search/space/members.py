"""The members of a small space: every network that it holds, with each recipe, in the order of the walk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import genome
from genome import GenomeError
from genome.domain import Domain, DomainError, Int, OneOf
from search.space.point import Point, digest_of
from search.space.space import Space

DOUBTFUL = 3  # trials in a row without training, after which the networks of a small space are counted
MOST = 1_000  # members that are counted; a walk through them takes some tenths of a second


class TooManyMembers(Exception):
    """The space has more members than are counted, or infinitely many."""


@lru_cache(maxsize=8)
def members(space: Space) -> Mapping[str, Point] | None:
    """Return the points of a space by digest, each network and recipe once; None where there are more than MOST.

    Genomes that cannot be built are left out.
    """
    found: dict[str, Point] = {}
    try:
        for point in _walks(space):
            with suppress(GenomeError, DomainError):
                network = genome.digest(genome.resolve(point.genome))
                found.setdefault(digest_of(network, point.searched), point)
    except TooManyMembers:
        return None
    return found


def is_used_up(space: Space, known: Collection[str]) -> bool:
    """Whether the digest of every point of the space is known."""
    there = members(space)
    return there is not None and all(digest in known for digest in there)


def unseen(space: Space, known: Collection[str]) -> Point | None:
    """Return a point that is not known; None where there is none, or the space is too large to tell."""
    there = members(space) or {}
    return next((point for digest, point in there.items() if digest not in known), None)


def _walks(space: Space) -> Iterator[Point]:
    """Yield the point of each path of answers. Raises TooManyMembers after MOST paths."""
    path: list[int] | None = []
    for _ in range(MOST):
        sizes: list[int] = []
        with suppress(GenomeError, DomainError):  # a path that leads to no legal genome
            yield space.point(partial(_answer, path or [], sizes))
        path = _following(path or [], sizes)
        if path is None:
            return
    raise TooManyMembers


def _answer(path: Sequence[int], sizes: list[int], _: str, domain: Domain) -> Any:
    """Answer a question by the path, and past its end with the first value; store how many values there are."""
    values = _values(domain)
    place = path[len(sizes)] if len(sizes) < len(path) else 0
    sizes.append(len(values))
    return values[place]


def _values(domain: Domain) -> Sequence[Any]:
    if isinstance(domain, OneOf):
        return domain.choices
    if isinstance(domain, Int):
        return range(domain.low, domain.high + 1, domain.step)
    if domain.low == domain.high:
        return (domain.low,)
    raise TooManyMembers


def _following(path: Sequence[int], sizes: Sequence[int]) -> list[int] | None:
    """Return the path after this one, which was asked questions of these sizes; None after the last."""
    places = [path[i] if i < len(path) else 0 for i in range(len(sizes))]
    while places:
        places[-1] += 1
        if places[-1] < sizes[len(places) - 1]:
            return places
        places.pop()
    return None
