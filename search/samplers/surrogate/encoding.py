"""Encoding: a point as its answers to the holes of its space, in numbers.

It holds what the graph alone cannot: a node of one name has the same place in every genome of a space.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from genome.domain import Domain, Float, Int, OneOf
from genome.plan import Plan
from genome.text import written_name
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
    known = sites(space)
    live = {written_name(step.node.name, point.genome.by_name) for step in plan.steps} | {SCHEDULE, RECIPE}
    answers = {name: value for name, value in space.answers(point).items() if known[name].place in live}
    vector, starts = np.zeros(_length(space)), _starts(space)
    for name, domain in space.holes.items():
        _put(vector, starts[name], domain, answers.get(name))
    return vector


def of_recipe(space: Space, vector: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the parts of such a vector that hold the answer for each key of the recipe."""
    starts = _starts(space)
    return tuple(
        vector[starts[hole.name] : starts[hole.name] + _room(hole.domain)]
        for hole in space.recipes.holes.values()
    )


def _put(vector: np.ndarray, at: int, domain: Domain, answer: Any) -> None:
    if isinstance(domain, OneOf):
        if answer is not None:
            vector[at + domain.choices.index(answer)] = HALF
        return
    vector[at] = MIDDLE if answer is None else _position(domain, answer)
    vector[at + 1] = 0.0 if answer is None else HALF


def _position(domain: Int | Float, value: float) -> float:
    """Where in its range a number is, from 0 to 1."""
    low, high = domain.low, domain.high
    if isinstance(domain, Float) and domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


@lru_cache(maxsize=8)
def _starts(space: Space) -> dict[str, int]:
    """Where in the vector each hole's numbers begin."""
    starts, at = {}, 0
    for name, domain in space.holes.items():
        starts[name] = at
        at += _room(domain)
    return starts


def _length(space: Space) -> int:
    return sum(_room(domain) for domain in space.holes.values())


def _room(domain: Domain) -> int:
    return len(domain.choices) if isinstance(domain, OneOf) else 2
