"""The pool of workers: one for each device slot. What kills a worker fails its trial alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from search.errors import StudyError
from search.workers.engine import Engine, Lost, Message, Worker
from search.workers.local import Local
from search.workers.messages import Broken, Died, Event, Finished, Ready, Screened, Setup, Task, Verdict

GRACE_SECONDS = 15.0  # a worker that is over its limit by so much hangs


@dataclass
class Slot:
    """A place on a device, its worker and the job that the worker does."""

    setup: Setup
    worker: Worker
    job: Task | None = None
    is_ready: bool = False  # whether the worker has read its data

    def elapsed_seconds(self) -> float:
        """Return the seconds on this slot of the job so far, as `trainer.Meter` counts them in the worker."""
        return self.worker.elapsed_seconds()

    def is_overdue(self) -> bool:
        """Whether the worker hangs. A start is no hang: without a fork server it alone may take longer than a trial."""
        limit = self.job.limit_seconds() if self.job and self.is_ready else None
        return limit is not None and self.elapsed_seconds() > limit + GRACE_SECONDS


@dataclass
class WorkerPool:
    """The slots of one coordinator."""

    engine: Engine
    slots: list[Slot] = field(default_factory=list)
    losses: int = 0  # workers that died since the last report

    def free(self) -> list[Slot]:
        """Return the slots that can get a job."""
        return [slot for slot in self.slots if slot.job is None and slot.worker.is_placed]

    def busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is not None]

    def at_work(self) -> list[Slot]:
        """Return the slots whose worker is doing its job; a worker that is still starting is not."""
        return [slot for slot in self.busy() if slot.is_ready]

    def slot_of(self, number: int) -> Slot:
        return next(slot for slot in self.slots if slot.job and slot.job.number == number)

    def start(self, setup: Setup) -> None:
        """Add a slot, whose worker starts."""
        self.slots.append(Slot(setup, self.engine.start(setup)))

    def give(self, slot: Slot, job: Task) -> None:
        """Give a free slot a job; a worker that died meanwhile is replaced first."""
        if not slot.worker.is_alive():
            self._replace(slot)
        slot.job = job
        slot.worker.send(job)

    def answer(self, number: int, verdict: Verdict) -> None:
        """Send the verdict to the worker of a trial that waits at a rung."""
        self.slot_of(number).worker.send(verdict)

    def halt(self) -> None:
        """Ask the workers to write their checkpoints and stop; `wait` returns their reports."""
        for slot in self.at_work():
            slot.worker.halt()

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the events of the workers, after at most `timeout_seconds`.

        Raises StudyError where a worker cannot work at all.
        """
        slots = {id(slot.worker): slot for slot in self.slots}
        events: list[Event] = []
        for worker in self.engine.wait([slot.worker for slot in self.slots], timeout_seconds):
            events.extend(self._receive(slots[id(worker)]))
        events.extend(self._kill(slot) for slot in self.busy() if slot.is_overdue())
        return events

    def _receive(self, slot: Slot) -> list[Event]:
        try:
            messages = slot.worker.receive()
        except Lost as lost:
            died = self._lose(slot, lost)
            return [died] if died else []
        return [event for message in messages if (event := self._understood(slot, message)) is not None]

    def _understood(self, slot: Slot, message: Message) -> Event | None:
        match message:
            case Ready():
                slot.is_ready = True
                return None
            case Broken(reason):
                raise StudyError(reason)
            case Finished() | Screened():
                slot.job, self.losses = None, 0
        return message

    def _lose(self, slot: Slot, lost: Lost) -> Died | None:
        """Replace a worker that died; its death is the outcome of its job, if it had one."""
        job = slot.job
        self.losses += 1
        if self.losses >= self.engine.losses_in_a_row:
            raise StudyError(f"{self.losses} workers died one after another, the last {lost}; see `dmesg`")
        self._replace(slot)
        return Died(job.number, str(lost), by_machine=lost.by_machine) if job else None

    def _kill(self, slot: Slot) -> Event:
        assert slot.job is not None
        number, seconds = slot.job.number, slot.elapsed_seconds()
        self._replace(slot)
        return Died(number, f"killed after {seconds:.0f} s: it did not stop at its limit", hung=True)

    def _replace(self, slot: Slot) -> None:
        self.engine.end([slot.worker])
        slot.worker = self.engine.start(slot.setup)
        slot.job, slot.is_ready = None, False


@contextmanager
def worker_pool(setups: Sequence[Setup], engine: Engine | None = None) -> Iterator[WorkerPool]:
    """Start one worker for each setup, on this machine by default; all of them have ended when the block ends."""
    pool = WorkerPool(engine or Local())
    try:
        for setup in setups:
            pool.start(setup)
        yield pool
    finally:
        pool.engine.end([slot.worker for slot in pool.slots])
