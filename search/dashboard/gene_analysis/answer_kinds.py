"""The possible answers at a hole as a few kinds: each choice of its own, numbers in ranges."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import genome
from genome.domain import Domain, Float, Int, OneOf
from genome.yaml.source import SourceError
from search.config.read import parse_study
from search.space.holes import SpaceError
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.space.space import Space

KnownShape: TypeAlias = tuple[tuple[int, int, int], int]  # of images (C, H, W), and the number of classes

MOST_CHOICES = 12  # kinds of a choice; where there are more choices, the last kind holds all others
MOST_NUMBERS = 8  # whole numbers with a kind of their own; more numbers are grouped in ranges
RANGES = 6  # kinds of a number
OTHER = "others"


def labels(domain: Domain) -> tuple[str, ...]:
    """Return the names of the kinds of answers, in order."""
    match domain:
        case OneOf(choices=choices):
            named = [_word(choice) for choice in choices]
            return tuple(named if len(named) <= MOST_CHOICES else [*named[: MOST_CHOICES - 1], OTHER])
        case Int() if _count(domain) <= MOST_NUMBERS:
            return tuple(str(value) for value in range(domain.low, domain.high + 1, domain.step))
        case Int():
            return tuple(_range(domain, i) for i in range(RANGES))
        case Float():
            ends = [_end(domain, i) for i in range(RANGES + 1)]
            return tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(ends))


def kind(domain: Domain, answer: Any) -> int:
    """Return the kind of an answer as an index of `labels`."""
    match domain:
        case OneOf(choices=choices):
            return min(choices.index(answer), MOST_CHOICES - 1)
        case Int() if _count(domain) <= MOST_NUMBERS:
            return (int(answer) - domain.low) // domain.step
        case Int():
            return (int(answer) - domain.low) // domain.step * RANGES // _count(domain)
        case Float():
            low, high, here = domain.low, domain.high, float(answer)
            if domain.log:
                low, high, here = math.log(low), math.log(high), math.log(here)
            return min(int((here - low) / ((high - low) or 1.0) * RANGES), RANGES - 1)


def kinds(space: Space, text: str | None, searched: Searched = NOTHING_SEARCHED) -> bytes | None:
    """Return the kind of a point's answer to each hole, from 1, or 0 for a hole that the point does not have.

    None for a genome that cannot be read.
    """
    try:
        answers = space.answers(Point(genome.loads(text or ""), searched))
    except (genome.GenomeError, SourceError, SpaceError):
        return None
    return bytes(_code(domain, answers, name) for name, domain in space.holes.items())


def kinds_in(study: str, shape: KnownShape | None, text: str | None, searched: Searched) -> bytes | None:
    """Return the same for the space of a study, by the study's canonical text and the shape of its images."""
    return kinds(_space(study, shape), text, searched)


@lru_cache(maxsize=1)
def _space(study: str, shape: KnownShape | None) -> Space:
    config = parse_study(study, "<study>")
    return replace(config, data=replace(config.data, known_shape=shape)).space


def _code(domain: Domain, answers: dict[str, object], name: str) -> int:
    return kind(domain, answers[name]) + 1 if name in answers else 0


def _word(choice: Any) -> str:
    return {True: "yes", False: "no"}[choice] if isinstance(choice, bool) else str(choice)


def _count(domain: Int) -> int:
    """The number of possible whole numbers."""
    return (domain.high - domain.low) // domain.step + 1


def _range(domain: Int, i: int) -> str:
    """The name of one range of whole numbers."""
    count = _count(domain)
    first, last = -(-i * count // RANGES), -(-(i + 1) * count // RANGES) - 1
    low, high = domain.low + first * domain.step, domain.low + last * domain.step
    return str(low) if low == high else f"{low} to {high}"


def _end(domain: Float, i: int) -> float:
    if domain.log:
        return float(domain.low * (domain.high / domain.low) ** (i / RANGES))
    return domain.low + (domain.high - domain.low) * i / RANGES
