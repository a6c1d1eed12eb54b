"""Filled points: a point of a space with all its widths times one factor, as wide as the limits of the study allow.

Under limits a network is as good as the shape that it gives to the operations it is allowed; two shapes compare where
both use what is allowed. Width multipliers do so for MobileNet (arXiv:1704.04861).
"""

from __future__ import annotations

import math
from functools import lru_cache

import genome
from genome import GenomeError
from genome.domain import Domain, DomainError, Float, Int
from genome.graph import Genome
from search.space.known_answers import answers_of, point_of
from search.space.limits import is_inside
from search.space.mutation_sites import sites
from search.space.point import Point
from search.space.space import Space

WIDEST = 16.0  # factor, and its inverse is the smallest
HALVINGS = 6  # of the range between them: the factor is known to 9 %, which few widths tell apart


def filled(space: Space, point: Point) -> Point | None:
    """Return the point as wide as the limits allow; None without limits or widths to choose, or where nothing fits."""
    widths = _widths(space)
    if not space.limits or not widths:
        return None
    answers = answers_of(space, point)

    def widened(factor: float) -> Point:
        known = {
            **answers,
            **{name: _times(answers[name], factor, widths[name]) for name in widths if name in answers},
        }
        return point_of(space, lambda name, _: known[name])

    found, low, high = None, -math.log(WIDEST), math.log(WIDEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        now = widened(math.exp(middle))
        if _fits(space, now.genome):
            found, low = now, middle
        else:
            high = middle
    return found


def _fits(space: Space, network: Genome) -> bool:
    try:
        return is_inside(space, genome.resolve(network))
    except (GenomeError, DomainError):  # widths that do not fit each other
        return False


@lru_cache(maxsize=8)
def _widths(space: Space) -> dict[str, Int | Float]:
    """The holes of the space that are widths, or the growth of a schedule, by name."""
    known = sites(space)
    return {
        name: domain
        for name, domain in space.holes.items()
        if name in known and known[name].move == "schedule" and isinstance(domain, Int | Float)
    }


def _times(value: float, factor: float, domain: Domain) -> float:
    """The value of the domain that is nearest to `value` times a factor."""
    assert isinstance(domain, Int | Float)
    wanted = min(max(value * factor, domain.low), domain.high)
    if isinstance(domain, Float):
        return wanted
    return domain.low + domain.step * round((wanted - domain.low) / domain.step)
