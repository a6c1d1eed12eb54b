"""evolve: asynchronous evolution of genomes, aging for one objective, by rank and crowding for several."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

import genome
from genome import GenomeError
from genome.domain import DomainError
from search.samplers.base import Individual, Origin, Proposal
from search.samplers.operator_credit import chances
from search.samplers.registry import sampler
from search.samplers.selection import pick, pool
from search.space import mutations
from search.space.limits import is_inside
from search.space.members import unseen
from search.space.point import Point, digest_of
from search.space.space import Space

INITIAL = 10  # networks drawn evenly before the first has children
MORE = (0.3, 0.1)  # chances of a second and a third move
FRESH = 0.05  # share of children that are drawn evenly: they have what no parent has
CHILDREN, DRAWS = 12, 60  # that are tried until one is new and inside the limits: first children, then draws


@sampler("evolve", proposes=True, names_parents=True)
class Evolve:
    """Proposes the children of good trials, by moves that are chosen by their success so far.

    No generation is waited for: each proposal looks at whatever trials have ended, so any number of workers share
    one population through the storage.
    """

    name = "evolve"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1) -> None:
        self.space, self.seed, self.objectives = space, seed, objectives

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose a child of the pool whose network is new, else a new draw, else what is new in a small space."""
        rng = Random(f"{self.seed}/{len(history)}")
        parents = pool(history, self.objectives)
        begun = sum(one.is_measured or one.is_running for one in history)
        breeds = len(parents) > 1 and begun >= INITIAL
        weights = chances(history, mutations.moves(self.space), self.objectives) if breeds else []
        found: Proposal | None = None
        for attempt in range(CHILDREN + DRAWS):
            if breeds and attempt < CHILDREN and rng.random() >= FRESH:
                made = child(self.space, parents, weights, self.objectives, rng)
            else:
                made = Proposal.of(self.space.draw(rng), Origin(self.name))
            if made is not None and is_new(self.space, made.point, avoid):
                return made
            found = made or found
        if (left := unseen(self.space, avoid)) is not None:
            return Proposal.of(left, Origin(self.name))
        return found or Proposal.of(self.space.draw(rng), Origin(self.name))


def child(
    space: Space, parents: Sequence[Individual], weights: Sequence[float], objectives: int, rng: Random
) -> Proposal | None:
    """Breed: one move on the winner of a tournament, sometimes more; None where no move applied."""
    first, second = (pick(parents, objectives, rng) for _ in range(2))
    now, told, mated = first.point, [], False
    for _ in range(1 + sum(rng.random() < more for more in MORE)):
        word = rng.choices(mutations.moves(space), weights)[0]
        moved = mutations.apply(space, word, now, rng, second.point)
        if moved is not None:
            now, mated = moved.point, mated or word in mutations.MATED
            told.append(f"{word} {moved.told}")
    if now == first.point:
        return None
    numbers = (first.number, second.number) if mated else (first.number,)
    return Proposal.of(now, Origin(Evolve.name, numbers, tuple(told)))


def is_new(space: Space, point: Point, avoid: Collection[str]) -> bool:
    """Whether the network of a point is inside the limits and the point is not among those to avoid."""
    try:
        plan = genome.resolve(point.genome)
        return digest_of(genome.digest(plan), point.searched) not in avoid and is_inside(space, plan)
    except (GenomeError, DomainError):
        return False
