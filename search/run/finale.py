"""The finale: retrains the best networks from scratch with several seeds, and stores every result with the study."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from search.run.context import Context
from search.run.finale_plan import HEADROOM, FinalePlan, Task, claimed, give_back
from search.run.jobs import Jobs
from search.run.loop import TURN_SECONDS
from search.run.ownership import owner
from search.run.recovery import result_of
from search.run.retries import KILLED, LOST
from search.storage.ledger import FINALE, Key
from search.storage.seed_results import SeedResult
from search.storage.study import Store
from search.workers.checkpoints import delete_checkpoint
from search.workers.messages import Died, Event, Finished, Row
from search.workers.pool import Slot, WorkerPool

SHORTEST_SECONDS = 0.01


@dataclass(frozen=True)
class SeedTraining:
    """A network that is being retrained with one seed."""

    task: Task
    store: Store
    epochs: int
    expected_seconds: float  # to be charged, as expected when the training started

    @property
    def key(self) -> Key:
        return (self.task.record.number, self.task.seed)

    @property
    def folder(self) -> Path:
        return self.store.seed_folder(self.task.record.number, self.task.seed)

    @property
    def phase(self) -> str:
        return FINALE

    def store_result(self, reached: SeedResult, seconds: float) -> SeedResult:
        """Store the result so far, with all the device seconds that were charged for the training."""
        one = reached._replace(seconds=round(seconds, 6), earlier_seconds=self.task.paid_seconds)
        if self.store.shared:
            one = one._replace(owner=owner(), seen_at=self.store.ledger.now())
        self.store.store_seed(self.task.record.number, self.task.seed, one)
        return one


@dataclass
class FinaleWork:
    """The finale of one run: the work of a `Loop`."""

    run: Context
    plan: FinalePlan
    trainings: dict[int, SeedTraining] = field(default_factory=dict)  # by number of the job
    queue: list[Task] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)
    has_rounds_only: bool = False  # whether the budget left can pay only further rounds of the finale

    def is_due(self) -> bool:
        """Release the reserved budget, and return whether the finale has a task that the budget can pay.

        The first call decides whether further rounds follow: it comes before the release.
        """
        self.has_rounds_only = self.has_rounds_only or self.plan.is_last()
        self.run.budget.reserved_seconds = 0.0
        self.run.budget.refresh()
        self.queue = self.plan.payable()
        return bool(self.queue) and self._can_pay(self.queue[0])

    def begin(self) -> None:
        """Report which trials are retrained with which seeds."""
        numbers = dict.fromkeys(str(task.record.number) for task in self.queue)
        seeds = dict.fromkeys(str(task.seed) for task in self.queue)
        text = f"finale: from scratch, trials {', '.join(numbers)} with seeds {', '.join(seeds)}"
        self.run.progress.said(text + self.plan.left_out())

    def end(self) -> None:
        """Store the running trainings as interrupted."""
        for training in self.trainings.values():
            seconds = self.run.budget.charged[training.key]
            self.run.budget.settle(training.key)
            training.store_result(SeedResult("interrupted", training.epochs), seconds)

    # --- the work of the loop

    def over(self) -> str | None:
        """Return why the finale is over, None where it is not."""
        left = self.run.budget.left_seconds()
        if self.run.stop_asked():
            return "stopped by hand"
        if left is not None and left <= 0:
            return "the budget is spent"
        if self.trainings or self.queue or (self.has_rounds_only and self._next_round()):
            return None
        return "the finale is over"

    def patience(self) -> float:
        """Return the seconds to wait for an event: until the budget is spent, a turn at most."""
        left = self.run.budget.left_seconds()
        return TURN_SECONDS if left is None else min(max(left, SHORTEST_SECONDS), TURN_SECONDS)

    def fill(self, pool: WorkerPool) -> bool:
        """Give a free slot a task. Return whether to call this again at once."""
        free = pool.free()
        if not free or not self.queue:
            return False
        task: Task | None = self.queue.pop(0)
        assert task is not None
        if task.record.number in self.plan.failed:
            return True
        if self.run.store.shared:
            self.run.budget.refresh()
            task = claimed(self.run.store, task, self.run.config.recipe.epochs)
        if task is None:
            return True
        if not self._can_pay(task):
            if self.run.store.shared:
                give_back(self.run.store, task, self.run.config.recipe.epochs)
            self.queue.clear()  # a cheaper network of lower rank must not win because it alone was retrained
            return False
        self._start(task, free[0], pool)
        return True

    def handle(self, event: Event, pool: WorkerPool) -> None:
        """Process an event of a worker."""
        match event:
            case Row(number, row):
                task, epochs = self.trainings[number].task, self.run.config.recipe.epochs
                self.run.progress.seed_epoch(task.record.number, task.seed, row, epochs)
            case Finished(number, report):
                training = self.trainings.pop(number)
                self.run.budget.charge(training.key, report.charge.device_seconds)
                self._conclude(training, result_of(report, training.task.record))
            case Died(number):
                self._lose(self.trainings.pop(number), event)

    def turn(self, pool: WorkerPool) -> None:
        """Nothing is due between events."""

    def _start(self, task: Task, slot: Slot, pool: WorkerPool) -> None:
        number = next(self.numbers)
        store, epochs = self.run.store, self.run.config.recipe.epochs
        training = SeedTraining(task, store, epochs, self.plan.price(task))
        self.trainings[number] = training
        device, limit = slot.setup.device, self.plan.limit_seconds(task.record)
        job = Jobs(self.run).seed(number, task, device, limit)
        self.run.budget.start(training, task.paid_seconds, device, job.limit_seconds())
        training.store_result(SeedResult("running", epochs), task.paid_seconds)
        pool.give(slot, job)
        self.run.progress.seed_began(task.record.number, task.seed)

    def _lose(self, training: SeedTraining, died: Died) -> None:
        """Conclude a training whose worker died; the first time it is trained again."""
        lost = self._conclude(training, _lost(training, died, self.run.stop_asked()))
        if lost.kind and not lost.is_over:
            self.queue.insert(0, training.task._replace(known=lost))
            name = f"trial {training.task.record.number}, seed {training.task.seed}"
            self.run.progress.said(f"{name}: the worker died, {died.reason}; it is trained again")

    def _conclude(self, training: SeedTraining, reached: SeedResult) -> SeedResult:
        record, seed, _ = training.task
        self.run.budget.settle(training.key)
        one = training.store_result(reached, self.run.budget.charged[training.key])
        if one.outcome == "failed":
            self.plan.failed.add(record.number)
        if one.is_over:
            delete_checkpoint(self.run.store.place(record.number, seed))
            self.run.progress.seed_ended(record.number, seed, one, self.run.budget.spent_seconds())
        return one

    def _next_round(self) -> bool:
        self.queue = self.plan.next_round()
        return bool(self.queue)

    def _can_pay(self, task: Task) -> bool:
        left = self.run.budget.left_seconds()
        return left is None or left - sum(
            map(self._owed, self.trainings.values())
        ) > HEADROOM * self.plan.price(task)

    def _owed(self, training: SeedTraining) -> float:
        """Return the device seconds that a training is still expected to be charged."""
        charged = self.run.budget.charged[training.key] - training.task.paid_seconds
        return max(training.expected_seconds - charged, 0.0)


def _lost(training: SeedTraining, died: Died, is_stopping: bool) -> SeedResult:
    """Return the result of a training whose worker died: failed after two deaths in a row.

    The first death says more about the machine than about the network, one with its machine says nothing about the
    network, and a network that failed cannot win.
    """
    lost = SeedResult("interrupted", training.epochs)
    if is_stopping:
        return lost
    known = training.task.known
    has_died = known is not None and not known.is_over and known.kind == KILLED
    if died.by_machine:
        return lost._replace(kind=KILLED if has_died else LOST, reason=died.reason)
    return lost._replace(outcome="failed" if has_died else "interrupted", kind=KILLED, reason=died.reason)
