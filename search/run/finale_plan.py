"""The plan of the finale: the tasks left, their cost, and which coordinator does a task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from search import formatting
from search.results.ranking import LEAST_SEEDS, is_decided_by_finale
from search.run.context import Context
from search.run.finalists import by_means, by_results
from search.run.ownership import SETTLE_SECONDS, Heartbeats, owner
from search.run.retries import ancestors
from search.storage.record import Record
from search.storage.seed_results import SeedResult
from search.storage.study import Store

HEADROOM = 1.1  # of the expected seconds must be left: two trainings never take the same time
AMPLE = 1.5  # of the expected seconds are reserved: the finale must not fail because the machine is busier
STANDS = "the best of the search stands"


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


def expected_seconds(record: Record, searched_seconds: float, epochs: int, limit: float | None) -> float:
    """Return the expected device seconds of a whole training of a trial's network, extrapolated from the trial.

    searched_seconds: of the training in the search. epochs: of a whole training now. limit: of its device seconds.
    """
    trained = record.planned_epochs if record.outcome == "done" else record.epochs
    whole = searched_seconds * epochs / max(trained or epochs, 1)
    return whole if limit is None else min(whole, limit)


@dataclass
class FinalePlan:
    """The tasks of one run's finale, and what they cost."""

    run: Context
    failed: set[int] = field(default_factory=set)  # trials whose network failed with one seed
    rounds: int = 0  # beyond those of the study: each trains every network with one more seed
    top: int | None = None  # how many networks the budget pays for; None before the finale begins
    finalists: list[int] | None = None  # numbers of the trials; None before the finale begins

    def tasks(self) -> list[Task]:
        """Return the tasks left for the best networks."""
        finale, recipe = self.run.config.finale, self.run.config.recipe
        if finale is None:
            return []
        seeds = finale.fresh_seeds(recipe.seed, self.rounds)
        return tasks(self._ranked()[: self.top], seeds, recipe.epochs)

    def _ranked(self) -> list[Record]:
        """Return the networks to retrain, as many as the finale retrains at most."""
        finale = self.run.config.finale
        if finale is None:
            return []
        if self.finalists is None:
            return by_results(self.run, finale.top)
        records = {record.number: record for record in self.run.store.records()}
        return [records[number] for number in self.finalists]

    def payable(self) -> list[Task]:
        """Return the tasks left for as many of the best networks as the budget pays for with two seeds each.

        Returns no task where it cannot pay for one network: a single training decides nothing.
        """
        finale = self.run.config.finale
        if finale is None:
            return []
        self.finalists = [record.number for record in by_means(self.run, finale.top)]
        most, left = len(self.finalists), self.run.budget.left_seconds()
        for self.top in range(most, 0, -1):
            chosen = self.tasks()
            if left is None or HEADROOM * sum(map(self.price, self.least(chosen))) <= left:
                return chosen
        self.top = None
        return []

    def left_out(self) -> str:
        """Return how many networks the budget pays for, empty where it pays for all."""
        if self.top is None or self.top == len(self._ranked()):
            return ""
        return f"; the seconds left pay for {formatting.some(self.top, 'network')}"

    def has_decided(self) -> bool:
        """Whether the finale decides which network is the best."""
        return is_decided_by_finale(self.run.store.records(), self.run.config.objectives)

    def limit_seconds(self, record: Record) -> float | None:
        """Return the most device seconds of one training: it may take longer than a trial of the search.

        It has time for at least the epochs that the search trained.
        """
        per_trial = self.run.config.budget.per_trial
        return None if per_trial is None else max(per_trial, AMPLE * self._searched_seconds(record))

    def _searched_seconds(self, record: Record) -> float:
        """Return the device seconds of a trial, and of the interrupted trials whose checkpoints it resumed."""
        earlier = ancestors(self.run.store, record.retry_of)
        return record.search_seconds + sum(one.search_seconds for one in earlier)

    def least(self, chosen: Sequence[Task]) -> list[Task]:
        """Return the tasks of the first seeds of these networks, without which nothing is compared."""
        finale, recipe = self.run.config.finale, self.run.config.recipe
        first = finale.fresh_seeds(recipe.seed)[:LEAST_SEEDS] if finale else ()
        return [task for task in chosen if task.seed in first]

    def price(self, task: Task) -> float:
        """Return the expected device seconds of a task."""
        record = task.record
        searched, limit = self._searched_seconds(record), self.limit_seconds(record)
        whole = expected_seconds(record, searched, self.run.config.recipe.epochs, limit)
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
        seeds = finale.fresh_seeds(recipe.seed) if finale else ()
        return [Task(record, seed, None) for record in self._ranked()[:1] for seed in seeds]

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

    def ending(self, reason: str) -> str:
        """Return why the study ended, given why its search ended, with the progress of the finale."""
        run = self.run
        if run.stop_asked():
            return "stopped by hand"
        if run.config.finale is None:
            return reason
        left, finales = self.tasks(), [r.finale for r in run.store.records() if r.finale]
        done = sum(len(finale.measured) for finale in finales)
        if not left:
            return f"{reason}; the finale is over" if done else reason
        if finales:
            reason = f"{reason}; the finale made {done} of {done + len(left)} trainings"
            return reason if self.has_decided() else f"{reason}: too few, {STANDS}"
        return f"{reason}; no finale: {self._why_none(left)}; {STANDS}"

    def _why_none(self, left: list[Task]) -> str:
        needed = self.least([task for task in left if task.record is left[0].record])
        trainings, price = (
            formatting.some(len(needed), "training"),
            formatting.seconds(self.price(left[0])),
        )
        rest = formatting.seconds(self.run.budget.left_seconds() or 0.0)
        return f"it needs {trainings} of about {price} at least, and {rest} are left"


def claimed(store: Store, task: Task, epochs: int) -> Task | None:
    """Claim a task on a shared storage, and return the task with its present result.

    Returns None where another coordinator is doing the task, or has done it.
    """
    known = _known(store, task)
    if known is not None and known.epochs == epochs and (known.is_over or _is_taken(store, known)):
        return None
    before = known or SeedResult("interrupted", epochs)
    claim = before._replace(outcome="running", owner=owner(), seen_at=store.ledger.now(), epochs=epochs)
    store.store_seed(task.record.number, task.seed, claim)
    time.sleep(SETTLE_SECONDS)
    now = _known(store, task)
    return task._replace(known=known) if now is not None and now.owner == owner() else None


def give_back(store: Store, task: Task, epochs: int) -> None:
    """Settle a task that was claimed and is not trained: what was known of it stands."""
    store.store_seed(
        task.record.number, task.seed, task.known or SeedResult("interrupted", epochs, owner=owner())
    )


def _known(store: Store, task: Task) -> SeedResult | None:
    found = store.seed_results().get(task.record.number)
    return found.seeds.get(task.seed) if found else None


def _is_taken(store: Store, one: SeedResult) -> bool:
    return one.outcome == "running" and not Heartbeats.of(store).is_abandoned(one.owner, one.seen_at)
