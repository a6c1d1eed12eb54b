"""Mutations: moves from one point of a space, or two, to another of the same space: another network, or recipe.

A move changes some answers and walks the space again, so that its result lies in that space whatever it
changed: questions that were not asked before take the answer of the gene of that name which the node had, where
it fits, and are drawn else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple, TypeAlias

from genome.domain import Domain, Float, Int, OneOf
from search.space.known_answers import answers_of, point_near, point_of
from search.space.mismatch import told
from search.space.mutation_sites import EXISTS, RECIPE, SCHEDULE, sites
from search.space.point import Point
from search.space.space import Space

Answers: TypeAlias = Mapping[str, Any]

# moves of one parent, each named after what it changes, and moves that need a second parent
ALONE = ("gene", "type", "node", "edge", "exit", "length", "column", "member", "schedule")
MATED = ("graft", "crossover")
MOVES = ALONE + MATED
TUNING = "recipe"  # the move of a study that searches its recipe

NEAR = 0.15  # of a range: the usual length of a step along a real number
TRIES = 4  # draws of a move that gives its parent again


class Moved(NamedTuple):
    """The result of a move."""

    point: Point
    # the move in words
    told: str


def moves(space: Space) -> tuple[str, ...]:
    """Return the moves of a space; the one on the recipe is there where some of it is searched."""
    return (*MOVES, TUNING) if space.recipes.holes else MOVES


def apply(space: Space, move: str, parent: Point, rng: Random, mate: Point | None = None) -> Moved | None:
    """Apply one move to a point of the space; None where there is nothing that it could change.

    The result lies in the space and is not the parent. `mate` is the second parent of `graft` and `crossover`.
    """
    answers, mated = answers_of(space, parent), move in MATED
    for _ in range(TRIES):
        made = _mated(space, move, answers, mate, rng) if mated else _changed(space, move, answers, rng)
        if made is None:
            return None
        child = redone(space, parent, answers, made.answers, rng)
        if child != parent:
            return Moved(child, made.told)
    return None


class Change(NamedTuple):
    """Answers that replace those of a parent."""

    answers: dict[str, Any]
    # the change in words
    told: str


def redone(space: Space, parent: Point, answers: Answers, changed: Answers, rng: Random) -> Point:
    """Walk the space with `changed` before `answers`, which are those of a parent.

    What neither answers follows a gene of that name, or chance. Where only some nodes change, the others are those of
    the parent.
    """

    def ask(name: str, domain: Domain) -> Any:
        if name in changed and changed[name] in domain:
            return changed[name]
        if name in answers:
            return answers[name]
        like = _like(space, answers, name)
        return like if like is not None and like in domain else domain.draw(rng)

    if all(_is_inside_a_node(space, answers, name, value) for name, value in changed.items()):
        return point_near(space, parent, ask, {sites(space)[name].place for name in changed})
    return point_of(space, ask)


def _is_inside_a_node(space: Space, answers: Answers, name: str, value: Any) -> bool:
    """Whether this answer leaves as it is which nodes there are, the schedule and the recipe."""
    place, move, _ = sites(space)[name]
    return place not in (SCHEDULE, RECIPE) and (move not in EXISTS or answers.get(name) == value)


def _like(space: Space, answers: Answers, name: str) -> Any:
    """The answer for the gene of that name which the same node has in another type; None where there is none."""
    known = sites(space)
    place, _, gene = known[name]
    if gene is None:
        return None
    like = [
        value for other, value in answers.items() if known[other].gene == gene and known[other].place == place
    ]
    return like[-1] if like else None


def _changed(space: Space, move: str, answers: Answers, rng: Random) -> Change | None:
    """Another answer to one question that this move is for."""
    known = sites(space)
    names = [name for name in answers if known[name].move == move]
    if not names:
        return None
    name = rng.choice(names)
    value = other(space.holes[name], answers[name], rng)
    return Change({name: value}, f"{name} {told(answers[name])} -> {told(value)}")


def other(domain: Domain, value: Any, rng: Random) -> Any:
    """Another value of a domain: any other choice, or a number nearby. Domains of one value are no holes."""
    if isinstance(domain, OneOf):
        return rng.choice([choice for choice in domain.choices if choice != value])
    if isinstance(domain, Int):
        return _near_int(domain, value, rng)
    return _near_float(domain, value, rng)


def _near_int(domain: Int, value: int, rng: Random) -> int:
    """A few grid steps up or down, in a long range more than in a short one."""
    steps = (domain.high - domain.low) // domain.step
    at = (value - domain.low) // domain.step
    reach = max(1, round(abs(rng.gauss(0.0, NEAR)) * steps))
    ends = [end for end in (at - reach, at + reach) if 0 <= end <= steps]
    to = rng.choice(ends) if ends else (0 if at > steps - at else steps)
    return domain.low + domain.step * to


def _near_float(domain: Float, value: float, rng: Random) -> float:
    low, high, at = domain.low, domain.high, value
    if domain.log:
        low, high, at = math.log(low), math.log(high), math.log(value)
    to = at + rng.gauss(0.0, NEAR) * (high - low)
    to = 2 * low - to if to < low else 2 * high - to if to > high else to  # reflected at the ends
    to = math.exp(to) if domain.log else to
    return float(min(max(to, domain.low), domain.high))


def _mated(space: Space, move: str, answers: Answers, mate: Point | None, rng: Random) -> Change | None:
    """Answers of the second parent: for one node, or for each node that chance gives it."""
    if mate is None:
        return None
    theirs = answers_of(space, mate)
    known = sites(space)
    differing = sorted({known[name].place for name in {*answers, *theirs} if _differs(name, answers, theirs)})
    if not differing or (move == "crossover" and len(differing) < 2):
        return None
    taken = _taken(differing, move, rng)
    changed = {name: value for name, value in theirs.items() if known[name].place in taken}
    return Change(changed, f"{', '.join(sorted(taken))} of the other")


def _differs(name: str, answers: Answers, theirs: Answers) -> bool:
    return name not in answers or name not in theirs or answers[name] != theirs[name]


def _taken(differing: list[str], move: str, rng: Random) -> set[str]:
    """The nodes that come from the second parent: one, or some but not all of those that differ."""
    if move == "graft":
        blocks = [place for place in differing if place not in (SCHEDULE, RECIPE)]
        return {rng.choice(blocks or differing)}
    some = rng.randint(1, len(differing) - 1)
    return set(rng.sample(differing, some))
