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
    known, layout = sites(space), _layout(space)
    live = {written_name(step.node.name, point.genome.by_name) for step in plan.steps} | {SCHEDULE, RECIPE}
    vector = layout.unasked.copy()
    chosen = []
    for name, value in answers_of(space, point).items():
        if known[name].place not in live:
            continue
        choices = layout.choices.get(name)
        if choices is not None:
            chosen.append(choices[value])
        else:
            at = layout.starts[name]
            vector[at], vector[at + 1] = _position(space.holes[name], value), HALF
    vector[chosen] = HALF
    return vector


def of_recipe(space: Space, vector: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the parts of such a vector that hold the answer for each key of the recipe."""
    starts = _layout(space).starts
    return tuple(
        vector[starts[hole.name] : starts[hole.name] + _room(hole.domain)]
        for hole in space.recipes.holes.values()
    )


def _position(domain: Domain, value: float) -> float:
    """Where in its range a number is, from 0 to 1."""
    assert isinstance(domain, Int | Float)
    low, high = domain.low, domain.high
    if isinstance(domain, Float) and domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


class _Layout(NamedTuple):
    """The vectors of a space."""

    # where each hole's numbers begin
    starts: dict[str, int]
    # where each choice of a hole of choices is
    choices: dict[str, dict[Any, int]]
    # the vector of no answers
    unasked: np.ndarray


@lru_cache(maxsize=8)
def _layout(space: Space) -> _Layout:
    starts: dict[str, int] = {}
    unasked: list[float] = []
    for name, domain in space.holes.items():
        starts[name] = len(unasked)
        unasked += [0.0] * _room(domain) if isinstance(domain, OneOf) else [MIDDLE, 0.0]
    choices = {
        # of choices that are equal, such as 1 and True, the first
        name: {choice: starts[name] + i for i, choice in reversed([*enumerate(domain.choices)])}
        for name, domain in space.holes.items()
        if isinstance(domain, OneOf)
    }
    return _Layout(starts, choices, np.array(unasked))


def _room(domain: Domain) -> int:
    return len(domain.choices) if isinstance(domain, OneOf) else 2
