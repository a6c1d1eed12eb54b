"""The finale: the last slice of a budget trains the best few networks anew, with several seeds each."""

from __future__ import annotations

from itertools import count, islice
from typing import NamedTuple


class Finale(NamedTuple):
    """How much of the budget is kept for it, how many networks it trains, and how many times each."""

    share: float = 0.2
    top: int = 3
    seeds: int = 3

    def fresh_seeds(self, used: int, more: int = 0) -> tuple[int, ...]:
        """Return so many seeds and some more, none of them that of the study, from which those of the search are
        made: who was lucky with its seed was chosen for it."""
        return tuple(islice((seed for seed in count() if seed != used), self.seeds + more))
