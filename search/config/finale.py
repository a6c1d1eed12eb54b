"""The finale: the last slice of a budget trains the best few networks anew, with several seeds each."""

from __future__ import annotations

from itertools import count, islice
from typing import NamedTuple


class Finale(NamedTuple):
    """The settings of a finale."""

    # of the budget
    share: float = 0.2
    # how many networks it trains
    top: int = 3
    # how many times each
    seeds: int = 3

    def fresh_seeds(self, used: int, more: int = 0) -> tuple[int, ...]:
        """Return so many seeds and some more, without that of the study, from which the seeds of the search are made:
        a network may have been chosen because it was lucky with its seed."""
        return tuple(islice((seed for seed in count() if seed != used), self.seeds + more))
