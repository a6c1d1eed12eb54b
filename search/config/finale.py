"""The finale: the last slice of a budget trains the best few networks anew, with several seeds each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, islice
from typing import NamedTuple

from search.storage.record import Record
from search.storage.seed_results import OneSeed

HEADROOM = 1.1  # times what a training took before: no two take the same


class Finale(NamedTuple):
    """How much of the budget is kept for it, how many networks it trains, and how many times each."""

    share: float = 0.2
    top: int = 3
    seeds: int = 3

    def fresh_seeds(self, used: int, more: int = 0) -> tuple[int, ...]:
        """Return so many seeds and some more, none of them that of the study, from which those of the search are
        made: who was lucky with its seed was chosen for it."""
        return tuple(islice((seed for seed in count() if seed != used), self.seeds + more))


class Task(NamedTuple):
    """One network to be trained with one seed, and what is known of it from earlier runs of the study."""

    record: Record
    seed: int
    known: OneSeed | None


def tasks(ranked: Sequence[Record], seeds: Sequence[int], epochs: int) -> list[Task]:
    """Return what is left to train of these networks: all of them with one seed before any with the next.

    Where the purse ends early, the networks have been trained equally often, or nearly so. A network that failed
    with one seed is spared the others.
    """
    known = {record.number: dict(record.finale.seeds) if record.finale else {} for record in ranked}
    return [
        Task(record, seed, known[record.number].get(seed))
        for seed in seeds
        for record in ranked
        if not _is_settled(known[record.number], seed, epochs)
    ]


def _is_settled(known: Mapping[int, OneSeed], seed: int, epochs: int) -> bool:
    now = {at: one for at, one in known.items() if one.epochs == epochs and one.is_over}
    return seed in now or any(one.outcome == "failed" for one in now.values())


def expected_seconds(
    record: Record, earlier: Sequence[Record], epochs: int, per_trial: float | None
) -> float:
    """Return the device seconds that a whole training of a trial's network will take, going by the trial.

    earlier: the interrupted trials that it went on from.  epochs: of a whole training now.  per_trial: the limit.
    """
    seconds = record.search_seconds + sum(one.search_seconds for one in earlier)
    trained = record.planned_epochs if record.outcome == "done" else record.epochs
    whole = seconds * epochs / max(trained or epochs, 1)
    return whole if per_trial is None else min(whole, per_trial)
