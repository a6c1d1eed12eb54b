"""Limits: whether a network of a space is inside what its study allows."""

from __future__ import annotations

from genome.plan import Plan
from genome.zoo.scale import usage
from search.space.space import Space


def is_inside(space: Space, plan: Plan) -> bool:
    """Whether a network exceeds none of the limits that its plan shows."""
    return usage(plan, space.limits) <= 1.0
