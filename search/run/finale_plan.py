"""The plan of the finale: the tasks left, their cost, and which coordinator does a task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from search.results.ranking import as_found
from search.run.context import Context
from search.run.ownership import SETTLE_SECONDS, is_abandoned, owner
from search.run.retries import ancestors
from search.storage.record import Record
from search.storage.seed_results import SeedResult, read_seed_results
from search.storage.study import Store

HEADROOM = 1.1  # of the expected seconds must be left: two trainings never take the same time
AMPLE = 1.5  # of the expected seconds are reserved: the finale must not fail because the machine is busier


class Task(NamedTuple):
    """One network to be trained from scratch with one seed."""

    record: Record
    seed: int
    known: SeedResult | None  # from earlier runs of the study

    @property
    def paid_seconds(self) -> float:
        """The device seconds that were charged for the task before."""
        return self.known.seconds if self.known else 0.0


def tasks(ranked: Sequence[Record], seeds: Sequence[int], epochs: int) -> list[Task]:
    """Return the tasks left for these networks: every network with one seed before any with the next seed.

    Where the budget ends early, the networks have then been trained about equally often. A network that failed
    with one seed is not trained with the others.
    """
    known = {record.number: dict(record.finale.seeds) if record.finale else {} for record in ranked}
    return [
        Task(record, seed, known[record.number].get(seed))
        for seed in seeds
        for record in ranked
        if not _is_settled(known[record.number], seed, epochs)
    ]


def _is_settled(known: Mapping[int, SeedResult], seed: int, epochs: int) -> bool:
    now = {at: one for at, one in known.items() if one.epochs == epochs and one.is_over}
    return seed in now or any(one.outcome == "failed" for one in now.values())


def expected_seconds(
    record: Record, earlier: Sequence[Record], epochs: int, per_trial: float | None
) -> float:
    """Return the expected device seconds of a whole training of a trial's network, extrapolated from the trial.

    earlier: the interrupted trials whose checkpoints the trial resumed. epochs: of a whole training now.
    per_trial: the limit of a trial.
    """
    seconds = record.search_seconds + sum(one.search_seconds for one in earlier)
    trained = record.planned_epochs if record.outcome == "done" else record.epochs
    whole = seconds * epochs / max(trained or epochs, 1)
    return whole if per_trial is None else min(whole, per_trial)


@dataclass
class FinalePlan:
    """The tasks of one run's finale, and what they cost."""

    run: Context
    failed: set[int] = field(default_factory=set)  # trials whose network failed with one seed
    rounds: int = 0  # beyond those of the study: each trains every network with one more seed

    def tasks(self) -> list[Task]:
        """Return the tasks left for the best networks."""
        finale, recipe = self.run.config.finale, self.run.config.recipe
        if finale is None:
            return []
        ranked = as_found(self.run.store.records(), self.run.config.objectives)
        return tasks(ranked[: finale.top], finale.fresh_seeds(recipe.seed, self.rounds), recipe.epochs)

    def price(self, task: Task) -> float:
        """Return the expected device seconds of a task."""
        config = self.run.config
        earlier = ancestors(self.run.store, task.record.retry_of)
        whole = expected_seconds(task.record, earlier, config.recipe.epochs, config.budget.per_trial)
        return max(whole - (task.known.seconds if task.known and not task.known.is_over else 0.0), 0.0)

    def release(self) -> bool:
        """Reduce the reserved seconds to those that the finale needs for the present best networks.

        The study reserves a share of the budget, and small networks need less. After a finale its seeds for one more
        network stay reserved: what a resumed search finds must not take the place of retrained networks with one
        training of its own. Return whether seconds became free for the search.
        """
        budget, prices = self.run.budget, [self.price(task) for task in self.tasks() or self._newcomer()]
        # with the seconds of trials that are still running when the search has spent its part
        needed = AMPLE * sum(prices) + len(budget.devices) * max(prices, default=0.0)
        if budget.reserved_seconds <= needed:
            return False
        budget.reserved_seconds = needed
        return not budget.is_empty()

    def _newcomer(self) -> list[Task]:
        """Return the tasks of a network that costs what the best one costs."""
        finale, recipe = self.run.config.finale, self.run.config.recipe
        ranked = as_found(self.run.store.records(), self.run.config.objectives)
        seeds = finale.fresh_seeds(recipe.seed) if finale else ()
        return [Task(record, seed, None) for record in ranked[:1] for seed in seeds]

    def is_last(self) -> bool:
        """Whether the search ended because its seconds left pay no training, so that only the finale can use them."""
        left = self.run.budget.search_seconds()
        most = max((self.price(task) for task in self.tasks()), default=0.0)
        return left is not None and (self.run.budget.is_empty() or left <= most)

    def next_round(self) -> list[Task]:
        """Return a task with one more seed for every network, where the budget can pay all of them, else no task."""
        self.rounds += 1
        again, left = self.tasks(), self.run.budget.left_seconds()
        if self.failed or left is None or left <= AMPLE * sum(self.price(task) for task in again):
            self.rounds -= 1
            return []
        return again


def claimed(store: Store, task: Task, epochs: int) -> Task | None:
    """Claim a task on a shared storage, and return the task with its present result.

    Returns None where another coordinator is doing the task, or has done it.
    """
    known = _known(store, task)
    if known is not None and known.epochs == epochs and (known.is_over or _is_taken(store, known)):
        return None
    before = known or SeedResult("interrupted", epochs)
    claim = before._replace(outcome="running", owner=owner(), seen_at=time.time(), epochs=epochs)
    store.store_seed(task.record.number, task.seed, claim)
    time.sleep(SETTLE_SECONDS)
    now = _known(store, task)
    return task._replace(known=known) if now is not None and now.owner == owner() else None


def _known(store: Store, task: Task) -> SeedResult | None:
    found = read_seed_results(store.study.user_attrs).get(task.record.number)
    return found.seeds.get(task.seed) if found else None


def _is_taken(store: Store, one: SeedResult) -> bool:
    return one.outcome == "running" and not is_abandoned(store, one.owner, one.seen_at)
