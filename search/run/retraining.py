"""The finale at work: hands networks and seeds to the crew, and keeps with the study what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

import genome
from search import formatting
from search.config.candidate import candidate
from search.config.study import StudyFile
from search.results.ranking import as_found
from search.run.budget import WRITE_SECONDS, Purse, charged
from search.run.ownership import owner
from search.run.progress import Progress
from search.run.retraining_plan import HEADROOM, Task, claimed, expected_seconds, tasks
from search.run.retries import ancestors
from search.storage.seed_results import OneSeed
from search.storage.store import Store
from search.storage.trial_files import REPORT_FILE
from search.workers.checkpoints import drop_checkpoint
from search.workers.messages import Died, Event, Finished, Job, Row
from search.workers.pool import Crew, Slot

TURN_SECONDS = 0.2  # how soon Ctrl-C, the purse and overdue children are noticed
SHORTEST_SECONDS = 0.01
AMPLE = 1.5  # times what trainings took before is kept for them: a busier machine must not cost the finale
HALT_SECONDS = 2.0  # in which a training that is interrupted may write its checkpoint
CHECKPOINT_SECONDS = 15.0  # of training that a kill costs at most


@dataclass
class Training:
    """A task in hand. Its seconds are those of this run of the study, as expected and as charged."""

    task: Task
    expected_seconds: float
    seconds: float = 0.0
    unwritten_seconds: float = 0.0  # of them
    written_at: float = 0.0  # time.monotonic()

    @property
    def earlier_seconds(self) -> float:
        return self.task.known.seconds if self.task.known else 0.0


@dataclass
class Retraining:
    """The finale of one run of a study. `stop_asked` says whether the person wants it to end."""

    file: StudyFile
    store: Store
    purse: Purse
    progress: Progress
    stop_asked: Callable[[], bool]
    crew: Crew = field(default_factory=lambda: Crew([]))
    queue: list[Task] = field(default_factory=list)
    hand: dict[int, Training] = field(default_factory=dict)  # by number of the job
    failed: set[int] = field(default_factory=set)  # trials whose network broke with one seed
    numbers: count[int] = field(default_factory=count)
    rounds: int = 0  # beyond those of the study: each trains every network with one more seed

    def is_due(self) -> bool:
        """Whether there is something to train that the purse can pay."""
        self._read_purse()
        self.queue = self._tasks()
        return bool(self.queue) and self._can_pay(self.queue[0])

    def spares(self) -> bool:
        """Keep no more of the budget than the finale needs for the networks as they stand. Whether that frees some
        for the search: a share is kept for large networks, and small ones are soon trained."""
        prices = [self._price(task) for task in self._tasks()]
        # and what trials take that are under way when the search has spent its part
        needed = AMPLE * sum(prices) + len(self.purse.places) * max(prices, default=0.0)
        if self.purse.kept_seconds <= needed:
            return False
        self.purse.kept_seconds = needed
        return not self.purse.is_empty()

    def run(self, crew: Crew) -> None:
        """Train with these children what the purse can pay, or until a stop is asked for."""
        is_last = self._is_last()
        if self.stop_asked() or not self.is_due():
            return
        self.crew = crew
        self.progress.said(self._opening())
        try:
            while self.hand or self.queue or (is_last and self._goes_round()):
                if self.stop_asked() or self._is_spent():
                    self._halt()
                    return
                if not self._fill():
                    self._listen()
        finally:
            for training in self.hand.values():
                self._keep(training, self._still("interrupted"))

    def ending(self, reason: str) -> str:
        """Return why the study ended, given why its search did: how far the finale came."""
        if self.stop_asked():
            return "stopped by hand"
        if self.file.finale is None:
            return reason
        left, finales = self._tasks(), [r.finale for r in self.store.records() if r.finale]
        done = sum(len(finale.measured) for finale in finales)
        if not left:
            return f"{reason}; the finale is over" if done else reason
        if finales:
            return f"{reason}; the finale made {done} of {done + len(left)} trainings"
        price, rest = (
            formatting.seconds(self._price(left[0])),
            formatting.seconds(self.purse.left_seconds() or 0.0),
        )
        return f"{reason}; no finale: a training takes about {price}, and {rest} are left"

    # --- what to train next

    def _tasks(self) -> list[Task]:
        finale, recipe = self.file.finale, self.file.recipe
        if finale is None:
            return []
        ranked = as_found(self.store.records(), self.file.objectives)
        return tasks(ranked[: finale.top], finale.fresh_seeds(recipe.seed, self.rounds), recipe.epochs)

    def _is_last(self) -> bool:
        """Whether the search ended because what it had left pays no training: what the finale leaves is lost."""
        left = self.purse.search_seconds()
        most = max((self._price(task) for task in self._tasks()), default=0.0)
        return left is not None and (self.purse.is_empty() or left <= most)

    def _goes_round(self) -> bool:
        """Queue every network with one more seed, where the purse can pay all of them."""
        self.rounds += 1
        again = self._tasks()
        left = self.purse.left_seconds()
        if self.failed or left is None or left <= AMPLE * sum(self._price(task) for task in again):
            self.rounds -= 1
            return False
        self.queue = again
        return bool(again)

    def _opening(self) -> str:
        numbers = dict.fromkeys(str(task.record.number) for task in self.queue)
        seeds = dict.fromkeys(str(task.seed) for task in self.queue)
        return f"finale: from scratch, trials {', '.join(numbers)} with seeds {', '.join(seeds)}"

    def _price(self, task: Task) -> float:
        """Return the device seconds that a task still takes."""
        file = self.file
        earlier = ancestors(self.store, task.record.retry_of)
        whole = expected_seconds(task.record, earlier, file.recipe.epochs, file.budget.per_trial)
        return max(whole - (task.known.seconds if task.known and not task.known.is_over else 0.0), 0.0)

    def _can_pay(self, task: Task) -> bool:
        left = self.purse.left_seconds()
        owed = sum(max(one.expected_seconds - one.seconds, 0.0) for one in self.hand.values())
        return left is None or left - owed > HEADROOM * self._price(task)

    def _fill(self) -> bool:
        """Give a free slot a task. Whether there may be more to do at once."""
        free = self.crew.free()
        if not free or not self.queue:
            return False
        task: Task | None = self.queue.pop(0)
        assert task is not None
        if task.record.number in self.failed:
            return True
        if self.store.shared:
            self._read_purse()
            task = claimed(self.store, task, self.file.recipe.epochs)
        if task is None:
            return True
        if not self._can_pay(task):
            self.queue.clear()  # a cheaper one further down must not win for being the only one
            return False
        self._start(task, free[0])
        return True

    def _start(self, task: Task, slot: Slot) -> None:
        training = Training(task, self._price(task))
        number = next(self.numbers)
        self.hand[number] = training
        self._keep(training, self._still("running"))
        self.crew.give(slot, self._job(number, task, slot))
        self.progress.seed_began(task.record.number, task.seed)

    def _job(self, number: int, task: Task, slot: Slot) -> Job:
        file, record = self.file, task.record
        assert record.genome is not None
        network = candidate(genome.loads(record.genome), file.recipe.batch, file.recipe.optimizer)
        folder = self.store.seed_folder(record.number, task.seed)
        goes_on = task.known is not None and not task.known.is_over
        if not goes_on:  # what lies there is of a shorter training, or of another study of that name
            (folder / REPORT_FILE).unlink(missing_ok=True)
        share, most = self.purse.share(slot.setup.device), file.budget.per_trial
        left = self.purse.trial_seconds()
        return Job(
            number=number,
            trial=record.number,
            genome=network.text,
            digest=network.digest,
            recipe=replace(file.recipe, seed=task.seed),
            rungs=(),
            trial_seconds=None if most is None else most / share,
            left_seconds=None
            if left is None
            else left + HALT_SECONDS,  # it is halted before, and goes on later
            charged_share=share,
            memory_bytes=file.budget.memory,
            predicted_bytes=network.train_memory_bytes,
            latency=False,
            folder=str(folder),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            earlier=(str(folder),) if goes_on else (),
        )

    # --- what the children say

    def _listen(self) -> None:
        left = self.purse.left_seconds()
        turn = TURN_SECONDS if left is None else min(max(left, SHORTEST_SECONDS), TURN_SECONDS)
        for event in self.crew.wait(turn):
            self._heed(event)
        self._charge_by_the_clock()

    def _halt(self) -> None:
        """Give the trainings in hand a moment to keep what they have come to."""
        self.crew.halt()
        until = time.monotonic() + HALT_SECONDS
        while self.crew.at_work() and time.monotonic() < until:
            self._listen()

    def _heed(self, event: Event) -> None:
        match event:
            case Row(number, row):
                task = self.hand[number].task
                self.progress.seed_epoch(task.record.number, task.seed, row, self.file.recipe.epochs)
            case Finished(number, report):
                training = self.hand.pop(number)
                self._charge(training, charged(report))
                self._conclude(training, OneSeed.of_report(report))
            case Died(number, reason):
                broken = OneSeed("failed", self.file.recipe.epochs, kind="killed", reason=reason)
                self._conclude(self.hand.pop(number), broken)

    def _conclude(self, training: Training, reached: OneSeed) -> None:
        record, seed, _ = training.task
        one = self._keep(training, reached)
        if one.outcome == "failed":
            self.failed.add(record.number)
        if one.is_over:
            drop_checkpoint(self.store.seed_folder(record.number, seed))
            self.progress.seed_ended(record.number, seed, one, self.purse.spent_seconds())

    # --- what is charged and kept

    def _is_spent(self) -> bool:
        left = self.purse.left_seconds()
        return left is not None and left <= 0

    def _read_purse(self) -> None:
        """Open the whole purse, and read what was spent by now."""
        self.purse.kept_seconds = 0.0
        self.purse.mine.clear()
        self.purse.refresh()
        self.purse.earlier_seconds += sum(one.unwritten_seconds for one in self.hand.values())

    def _charge_by_the_clock(self) -> None:
        for slot in self.crew.at_work():
            assert isinstance(slot.job, Job)
            training = self.hand[slot.job.number]
            self._charge(training, slot.elapsed_seconds() * slot.job.charged_share)
            if time.monotonic() - training.written_at >= WRITE_SECONDS:
                self._keep(training, self._still("running"))
        self.progress.tick(self.purse.spent_seconds())

    def _charge(self, training: Training, seconds: float) -> None:
        more = seconds - training.seconds
        self.purse.earlier_seconds += more
        training.seconds += more
        training.unwritten_seconds += more

    def _keep(self, training: Training, reached: OneSeed) -> OneSeed:
        """Write what a training has reached, with what it has cost so far."""
        record, seed, _ = training.task
        earlier = training.earlier_seconds
        one = reached._replace(seconds=round(earlier + training.seconds, 6), earlier_seconds=earlier)
        if self.store.shared:
            one = one._replace(owner=owner(), seen_at=time.time())
        self.store.keep_seed(record.number, seed, one)
        training.unwritten_seconds, training.written_at = 0.0, time.monotonic()
        return one

    def _still(self, outcome: str) -> OneSeed:
        return OneSeed(outcome, self.file.recipe.epochs)
