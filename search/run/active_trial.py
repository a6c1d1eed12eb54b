"""The active trials of a run: each waits, runs, is paused or was halted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from search.config.candidate import Candidate
from search.samplers.base import ORIGIN, Origin
from search.storage.latency import MeasuredLatency
from search.storage.ledger import SEARCH, Key
from search.storage.record import LATENCY, SEEN_AT, Record
from search.storage.study import Store
from search.storage.trial import LiveTrial

HEARTBEAT_SECONDS = (
    30.0  # from one heartbeat of a trial that is not being trained to the next, on shared storages
)


class State(Enum):
    """The state of an active trial."""

    WAITING = "waits for a slot, or for the trial that trains the same network"
    RUNNING = "is trained"
    PAUSED = "is paused at a rung"
    HALTED = "was interrupted, has its checkpoint and was charged"


@dataclass
class ActiveTrial:
    """A trial between its proposal and its end."""

    live: LiveTrial
    candidate: Candidate
    store: Store
    rungs: dict[int, float] = field(default_factory=dict)  # score at each rung, higher is better
    # interrupted trials of the same network that it retries, the nearest first
    retried: tuple[Record, ...] = ()
    latency: float | None = None  # seconds, once they are measured
    bracket: int = 0
    is_pausing: bool = False  # its worker was told to pause and writes the checkpoint
    paused_record: Record | None = None  # its record when it paused
    was_lost: bool = False  # its worker died in this run, and may have left a checkpoint
    has_died: bool = False  # .. once, and not because its machine went away
    # device seconds charged before this job: for screening, until it paused, or until its worker died
    paid_seconds: float = 0.0
    curve: dict[int, float] = field(default_factory=dict)
    # of training and validation, by epoch
    losses: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    curve_stored_at: float = 0.0  # time.monotonic()
    heartbeat_at: float = 0.0  # time.monotonic()
    state: State = State.WAITING

    @property
    def number(self) -> int:
        return self.live.number

    @property
    def key(self) -> Key:
        return (self.number, None)

    @property
    def phase(self) -> str:
        return SEARCH

    @property
    def folder(self) -> Path:
        return self.store.trial_folder(self.number)

    @property
    def is_reference(self) -> bool:
        """Whether it trains a published network, not one that the sampler proposed."""
        stored = self.live.attrs.get(ORIGIN)
        return stored is not None and Origin.of_json(stored).reference is not None

    @property
    def known(self) -> dict[str, float]:
        """The values of the objectives that are known before training."""
        latency = {} if self.latency is None else {"latency": self.latency}
        return {**self.candidate.planned(), **latency}

    def store_latency(self, latency: MeasuredLatency) -> None:
        """Store what was measured, once: a trial that resumes is measured again, by the cache."""
        self.latency = latency.seconds
        if self.live.attrs.get(LATENCY) != latency.to_json():
            self.live.set_attr(LATENCY, latency.to_json())

    def checkpoint_owners(self) -> list[int]:
        """Return the numbers of the trials in whose folders the checkpoint to resume may be."""
        own = [self.number] if self.was_lost or self.paused_record else []
        return own + [record.number for record in self.retried]

    def store_heartbeat(self) -> None:
        """Store a heartbeat from time to time on a shared storage, while the trial is not being trained."""
        now = time.monotonic()
        if self.store.shared and now - self.heartbeat_at >= HEARTBEAT_SECONDS:
            self.heartbeat_at = now
            self.live.set_attr(SEEN_AT, self.store.ledger.now())


@dataclass(frozen=True)
class ActiveTrials:
    """The active trials of one coordinator, by number."""

    trials: dict[int, ActiveTrial] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.trials)

    def __contains__(self, number: object) -> bool:
        return number in self.trials

    def __getitem__(self, number: int) -> ActiveTrial:
        return self.trials[number]

    def enter(self, trial: ActiveTrial, state: State) -> None:
        """Put a trial, new or not, into this state."""
        trial.state = state
        self.trials.pop(trial.number, None)  # trials of one state stand in the order in which they entered it
        self.trials[trial.number] = trial

    def leave(self, number: int) -> ActiveTrial:
        """Take out a trial that has ended."""
        return self.trials.pop(number)

    def of(self, *states: State) -> list[ActiveTrial]:
        """Return the trials in these states, in the order in which they entered them."""
        return [trial for trial in self.trials.values() if trial.state in states]

    def running(self) -> Mapping[int, ActiveTrial]:
        return {trial.number: trial for trial in self.of(State.RUNNING)}

    def paused(self) -> Mapping[int, ActiveTrial]:
        return {trial.number: trial for trial in self.of(State.PAUSED)}

    def waiting(self) -> list[ActiveTrial]:
        return self.of(State.WAITING)

    def __iter__(self) -> Iterator[ActiveTrial]:
        return iter(list(self.trials.values()))
