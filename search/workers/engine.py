"""What runs workers: processes of this machine, or those of a cluster. The pool knows them by these two protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from search.workers.messages import Broken, Event, Ready, Setup, Task, Verdict

Message: TypeAlias = Event | Ready | Broken


class Lost(Exception):
    """A worker has died; the message is the reason, as the end of a sentence."""

    def __init__(self, reason: str, by_machine: bool = False) -> None:
        """by_machine: its machine went away, which says nothing about the job."""
        super().__init__(reason)
        self.by_machine = by_machine


class Worker(Protocol):
    """One worker and the clock of its job."""

    @property
    def is_placed(self) -> bool:
        """Whether it has a place to run; until then it gets no job."""
        ...

    def is_alive(self) -> bool:
        """Whether it has not died, as far as is known."""
        ...

    def send(self, message: Task | Verdict) -> None:
        """Send a job, whose clock begins, or the answer at a rung; nothing happens where the worker has died."""
        ...

    def halt(self) -> None:
        """Ask the worker to write the checkpoint of its job and to stop; nothing happens where it has died."""
        ...

    def receive(self) -> Sequence[Message]:
        """Return what the worker has sent, without waiting; at `Ready` the clock of its job begins again.

        Raises Lost.
        """
        ...

    def elapsed_seconds(self) -> float:
        """Return the seconds of the job so far, as `trainer.Meter` counts them in the worker."""
        ...


class Engine(Protocol):
    """Starts workers, and waits for any of them."""

    @property
    def losses_in_a_row(self) -> int:
        """How many workers may die one after another, before any report, until the machines are to blame."""
        ...

    def start(self, setup: Setup) -> Worker:
        """Start a worker that loads its data and then waits for jobs."""
        ...

    def wait(self, workers: Sequence[Any], timeout_seconds: float) -> Sequence[Worker]:
        """Return those of its workers of which something can be received, after at most so many seconds."""
        ...

    def end(self, workers: Sequence[Any]) -> None:
        """End workers at once."""
        ...
