"""random: networks drawn evenly, hole by hole; the baseline of every other sampler."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from search.samplers.base import Individual, Origin, Proposal
from search.samplers.evolve import is_new
from search.samplers.registry import sampler
from search.space.members import unseen
from search.space.space import Space

TRIES = 60  # draws until one is new and inside the limits


@sampler("random", proposes=True)
class RandomSearch:
    """Draws evenly from the space, and keeps away from known networks."""

    name = "random"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1) -> None:
        self.space, self.seed = space, seed

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose a draw whose network is new; in a small space where draws find none, the next one that is new."""
        rng = Random(f"{self.seed}/{len(history)}")
        drawn = self.space.draw(rng)
        for _ in range(TRIES):
            if is_new(self.space, drawn, avoid):
                return Proposal.of(drawn, Origin(self.name))
            drawn = self.space.draw(rng)
        return Proposal.of(unseen(self.space, avoid) or drawn, Origin(self.name))
