"""Encoding: a point as its answers to the holes of its space, in numbers.

It holds what the graph alone cannot: a node of one name has the same place in every genome of a space.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from genome.domain import Domain, Float, Int, OneOf
from genome.mistakes import written_name
from genome.plan import Plan
from search.space.known_answers import answers_of
from search.space.mutation_sites import RECIPE, SCHEDULE, sites
from search.space.point import Point
from search.space.space import Space

HALF = math.sqrt(0.5)  # two answers that differ are 1 apart, squared
MIDDLE = 0.5  # of its range: where a number stands that was not asked for


def address(space: Space, point: Point, plan: Plan) -> np.ndarray:
    """Return a vector of the same length for every point of the space, of whose network `plan` is the plan.

    Between two of them a question of choices adds 1 to the squared distance where the answers differ, a number the
    square of the difference in units of its range. Answers about nodes that no exit needs are left out.
    """
    layout, listed = _layout(space), point.genome.by_name
    live = {written_name(step.node.name, listed) for step in plan.steps} | {SCHEDULE, RECIPE}
    vector = layout.unasked.copy()
    chosen = []
    for name, value in answers_of(space, point).items():
        place, at, choices = layout.parts[name]
        if place not in live:
            continue
        if choices is not None:
            chosen.append(choices[value])
        else:
            vector[at], vector[at + 1] = _position(space.holes[name], value), HALF
    vector[chosen] = HALF
    return vector


def of_recipe(space: Space, vector: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the parts of such a vector that hold the answer for each key of the recipe."""
    parts = _layout(space).parts
    starts = [(parts[hole.name].start, hole.domain) for hole in space.recipes.holes.values()]
    return tuple([vector[start : start + _room(domain)] for start, domain in starts])


def _position(domain: Domain, value: float) -> float:
    """Where in its range a number is, from 0 to 1."""
    assert isinstance(domain, Int | Float)
    low, high = domain.low, domain.high
    if isinstance(domain, Float) and domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


class _Part(NamedTuple):
    """The numbers of one hole in the vectors of a space."""

    # the name of the node
    place: str
    # where they begin
    start: int
    # where each choice is; None where the answers are numbers
    choices: dict[Any, int] | None


class _Layout(NamedTuple):
    """The vectors of a space."""

    # by the name of the hole
    parts: dict[str, _Part]
    # the vector of no answers
    unasked: np.ndarray


@lru_cache(maxsize=8)
def _layout(space: Space) -> _Layout:
    known, parts, unasked = sites(space), dict[str, _Part](), list[float]()
    for name, domain in space.holes.items():
        parts[name] = _Part(known[name].place, len(unasked), _choices(domain, len(unasked)))
        unasked += [0.0] * _room(domain) if isinstance(domain, OneOf) else [MIDDLE, 0.0]
    return _Layout(parts, np.array(unasked))


def _choices(domain: Domain, start: int) -> dict[Any, int] | None:
    """The place of each choice; of choices that are equal, such as 1 and True, that of the first."""
    if not isinstance(domain, OneOf):
        return None
    return {choice: start + i for i, choice in reversed([*enumerate(domain.choices)])}


def _room(domain: Domain) -> int:
    return len(domain.choices) if isinstance(domain, OneOf) else 2
