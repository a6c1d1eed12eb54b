"""Offspring: generations of networks bred by the costs that experience foretells, none of which is trained.

Even draws of a large space hold few networks that are as good as experience knows of; their descendants do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from search.samplers.base import Individual, Origin, Proposal
from search.samplers.evolve import child
from search.space import mutations
from search.space.adapt import resembling
from search.space.mutation_sites import sites
from search.space.space import Space

if TYPE_CHECKING:
    from search.samplers.surrogate.model import Candidate, Surrogate

GENERATIONS, CHILDREN = 5, 40
PARENTS = 20  # of each generation, the lowest costs foretold

BRED = Origin("bayes", moves=("bred by experience",))
TAKEN = Origin("bayes", moves=("taken from experience",))

Finish = Callable[[Proposal, bool], Proposal]  # widens a proposal, where it is its turn


def offspring(
    space: Space,
    model: Surrogate,
    draws: Iterable[Proposal],
    known: Collection[str],
    finish: Finish,
    rng: Random,
) -> list[Candidate]:
    """Return the best of the networks that experience has, of draws, and of their descendants.

    The lowest costs foretold come first. None has parents among the trials.
    finish: what is done to each before it is judged, such as to make it wide; every second has its turn.
    """
    able = {site.move for site in sites(space).values()} | set(mutations.MATED)
    evenly = [float(word in able) for word in mutations.moves(space)]
    taken = [finish(one, True) for one in _resembling(space, model, rng)]
    best = model.ranked(model.distinct(chain(taken, draws), known))[:PARENTS]
    for _ in range(GENERATIONS):
        parents = [_parent(one.proposal) for one in best]
        made = (child(space, parents, evenly, 1, rng) for _ in range(CHILDREN)) if parents else ()
        born = [
            finish(Proposal.of(one.point, BRED), i % 2 == 0) for i, one in enumerate(made) if one is not None
        ]
        best = model.ranked(model.distinct([*(one.proposal for one in best), *born], known))[:PARENTS]
    return best


def _resembling(space: Space, model: Surrogate, rng: Random) -> Iterator[Proposal]:
    """The best networks that experience has, as far as the space can say them."""
    for one in model.experience.best if model.experience else ():
        if (like := resembling(space, one, rng)) is not None:
            yield Proposal(like, TAKEN, space.recipes.completed({}, rng))


def _parent(one: Proposal) -> Individual:
    return Individual(0, one.genome, "", (0.0,), searched=one.searched)
