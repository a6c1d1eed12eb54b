"""Reach: whether the limits of a study leave room for the exits alone, judged by networks drawn from its space."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import genome
from genome import GenomeError, Plan
from genome.domain import DomainError
from genome.op import FLOAT_BYTES
from search.config.candidate import candidate, measured
from search.config.study import StudyConfig
from search.space.point import Point
from search.space.recipe_space import first

DRAWS = 40  # networks; the first is that of the first values, such as the narrowest


def mistakes(config: StudyConfig) -> list[str]:
    """Return a line, with its place in the file, for each limit that the exits alone exceed in all drawn networks.

    There is none as soon as one network is inside all limits, which for most studies is the first.
    """
    heads: dict[str, int] = {}
    allowed = dict(config.limits)
    if config.budget.memory is not None:
        allowed["budget.memory"] = config.budget.memory
    for point in _drawn(config) if allowed else ():
        try:
            network, plan = candidate(point, config.train), genome.resolve(point.genome)
        except (GenomeError, DomainError):
            continue
        if all(excess.over <= 0 for excess in measured(network, config)):
            return []
        for limit, found in _heads(plan).items():
            heads[limit] = min(found, heads.get(limit, found))
    return [
        _line(config, limit, heads[limit], allowed[limit])
        for limit in heads
        if _is_over(limit, heads, allowed)
    ]


def _is_over(limit: str, heads: dict[str, int], allowed: dict[str, int]) -> bool:
    return limit in allowed and heads[limit] > allowed[limit]


def _drawn(config: StudyConfig) -> Iterator[Point]:
    space, rng = config.space, Random(0)
    yield space.point(lambda _, domain: first(domain))
    for _ in range(DRAWS - 1):
        yield space.draw(rng)


def _heads(plan: Plan) -> dict[str, int]:
    """Return what the exits of a network alone take, by limit; in memory their weights and gradients."""
    costs = [plan.steps[place].info.cost for place in plan.exits]
    params = sum(cost.weights + cost.norms for cost in costs)
    macs = sum(cost.macs for cost in costs)
    return {"params": params, "macs": macs, "budget.memory": 2 * FLOAT_BYTES * params}


def _line(config: StudyConfig, limit: str, found: int, allowed: int) -> str:
    key = ("budget", "memory") if limit == "budget.memory" else ("limits", limit)
    name = ".".join(key)
    said = (
        f"{name} is {allowed:,}, and the exits alone, for {config.space.classes:,} classes, take {found:,} in "
        f"the smallest of {DRAWS} networks drawn from the space; raise it, or narrow what the exits read"
    )
    return str(config.source.error(key, said))
