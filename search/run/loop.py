"""The event loop of search and finale: fills free slots, processes events of workers, charges by the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from search.run.budget import Budget, Charged
from search.run.progress import Progress
from search.workers.messages import Event, Job
from search.workers.pool import Slot, WorkerPool
from trainer.hardware.clock import running_seconds

TURN_SECONDS = 0.2  # longest time until Ctrl-C, an empty budget and overdue workers are noticed
HALT_SECONDS = 2.0  # in which interrupted trainings may write their checkpoints, unless the user gives more


class Work(Protocol):
    """The work of a loop: the search, then the finale."""

    @property
    def trainings(self) -> Mapping[int, Charged]:
        """The running trainings, by the number of their job."""
        ...

    def over(self) -> str | None:
        """Return why the work is over, None where it is not."""
        ...

    def fill(self, pool: WorkerPool) -> bool:
        """Give a free slot a job. Return whether to call this again at once."""
        ...

    def patience(self) -> float:
        """Return the seconds to wait for an event when nothing more can be done."""
        ...

    def handle(self, event: Event, pool: WorkerPool) -> None:
        """Process an event of a worker."""
        ...

    def turn(self, pool: WorkerPool) -> None:
        """Do what is due after each wait."""
        ...


@dataclass(frozen=True)
class Loop:
    """The loop of one run, over the slots of its pool."""

    pool: WorkerPool
    budget: Budget
    progress: Progress
    stop_asked: Callable[[], bool]
    grace_seconds: float | None = None  # in place of HALT_SECONDS, after a stop

    def run(self, work: Work) -> str:
        """Do the work until it is over, and return why it is. Trainings that still run are interrupted."""
        while True:
            reason = work.over()
            if reason is not None:
                self._halt(work)
                return reason
            filled = work.fill(self.pool)
            self._listen(work, 0.0 if filled else work.patience())

    def _listen(self, work: Work, seconds: float) -> None:
        for event in self.pool.wait(seconds):
            work.handle(event, self.pool)
        work.turn(self.pool)
        self._charge(work)

    def _halt(self, work: Work) -> None:
        """Give the running trainings some seconds to write their checkpoints."""
        self.pool.halt()
        given = self.grace_seconds if self.stop_asked() else None
        until = running_seconds() + (HALT_SECONDS if given is None else given)
        while self.pool.at_work() and (left := until - running_seconds()) > 0:
            self._listen(work, min(left, TURN_SECONDS))

    def _charge(self, work: Work) -> None:
        """Charge the running trainings by the clock."""
        for slot in self.pool.at_work():
            job = slot.job
            if isinstance(job, Job) and (training := work.trainings.get(job.number)):
                self.budget.meter(training, job.paid_seconds + charged_seconds(slot, job) * job.charged_share)
        self.budget.store_charges()
        self.progress.tick(self.budget.spent_seconds())


def charged_seconds(slot: Slot, job: Job) -> float:
    """Return the seconds of a job on its slot; a worker that does not stop at its limit is not charged for that."""
    limit = job.limit_seconds()
    return slot.elapsed_seconds() if limit is None else min(slot.elapsed_seconds(), limit)
