"""The messages between the coordinator and a worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from search.config.latency import LatencySetting
    from search.storage.artifacts import Artifacts
    from search.storage.latency import MeasuredLatency
    from search.storage.trial_report import TrialReport
    from trainer import Recipe
    from trainer.data.reading import Reading


class Setup(NamedTuple):
    """The settings of a worker, which it gets when it starts."""

    data: str
    root: str | None
    reading: Reading | None  # how own images are read
    mirror: bool | None
    device: str
    threads: int  # of torch, in this worker
    keeps_pages: bool = False  # whether freed memory stays with the process: faster, and somewhat more of it
    images: Path | None = None  # folder from which the images are mapped; None where each worker reads them
    folds: int | None = None  # K of K folds
    cache: str | None = None  # folder that keeps decoded images


class LatencyTask(NamedTuple):
    """What a worker measures of a network before it trains it."""

    setting: LatencySetting
    limit: float | None  # seconds; a slower network is not trained


class StopTask(NamedTuple):
    """What a worker measures of a network that stops early, at rungs and after its training."""

    objectives: tuple[str, ...]
    drop: float  # how far it may be below the last exit, as a share of the validation images


class Job(NamedTuple):
    """One network to train: building, training and evaluation. Seconds are seconds on the slot."""

    number: int  # of the trial; in the finale a number that only tells jobs apart
    genome: str  # canonical text
    digest: str
    recipe: Recipe
    rungs: tuple[int, ...]  # epochs after which the worker waits for a verdict
    trial_seconds: float | None  # limit of the trial, the seconds inside its checkpoint included
    left_seconds: float | None  # what the budget can pay now
    charged_share: float  # device seconds that one second costs: 1 / slots on the device
    # limit; on a CPU the operating system enforces it as growth of the address space
    memory_bytes: int | None
    predicted_bytes: int
    latency: LatencyTask | None  # None: nothing is measured
    folder: str  # receives genome.yaml, weights.safetensors and report.json, and the checkpoint meanwhile
    checkpoint_seconds: float  # from one checkpoint to the next
    earlier: tuple[str, ...] = ()  # folders that may hold the checkpoint to resume, the nearest first
    paid_seconds: float = 0.0  # device seconds charged for this trial and seed before this job
    parent: str | None = None  # folder of the trial whose weights the network begins with
    trial: int | None = None  # in the finale: the trial whose network is retrained
    goal: str = "accuracy"  # the score by which an epoch is the best
    stops: StopTask | None = None  # None: it is not run with early exits
    artifacts: Artifacts | None = None  # receive a copy of all files; None: the folder alone has them

    @property
    def key(self) -> tuple[int, int | None]:
        """What the device seconds of this job are charged to: a trial, and in the finale one seed of it."""
        return (self.number, None) if self.trial is None else (self.trial, self.recipe.seed)

    def limit_seconds(self) -> float | None:
        """Return the most seconds that the job can take from now on."""
        limits = [limit for limit in (self.trial_seconds, self.left_seconds) if limit is not None]
        return min(limits, default=None)


class Screening(NamedTuple):
    """Candidates whose proxies are measured before one of them is trained."""

    number: int  # below 0: no candidate has a trial yet
    genomes: tuple[str, ...]  # canonical texts
    proxies: tuple[str, ...]
    seed: int  # of the weights, as in training
    most_seconds: float | None  # after which no further candidate is measured
    memory_bytes: int | None

    def limit_seconds(self) -> float | None:
        """Return the most seconds that the job can take, without those of the candidate being measured."""
        return self.most_seconds


class Ready(NamedTuple):
    """The worker has its data and waits for jobs."""


class Broken(NamedTuple):
    """The worker cannot do any job, for example because the data is missing."""

    reason: str


class Measured(NamedTuple):
    """The latency of a trial's network, before it is trained."""

    number: int
    latency: MeasuredLatency


class Row(NamedTuple):
    """One epoch of a trial's learning curve."""

    number: int
    row: Mapping[str, Any]


class Rung(NamedTuple):
    """A trial has reached a rung, and its worker waits for a `Verdict`."""

    number: int
    epoch: int
    scores: Mapping[str, float]


class Verdict(NamedTuple):
    """The verdict on a trial at a rung; the trial trains on where both are False."""

    stop: bool  # end for good
    pause: bool = False  # write the checkpoint and free the slot


class Screened(NamedTuple):
    """The proxies of each candidate, None for a candidate that has none, and the seconds spent on the slot."""

    number: int
    rows: tuple[Mapping[str, float] | None, ...]
    seconds: float


class Finished(NamedTuple):
    """The report of a job that has ended."""

    number: int
    report: TrialReport


class Died(NamedTuple):
    """The worker died during this job. The pool makes this event; `reason` is a sentence."""

    number: int
    reason: str
    # whether the pool killed it because it did not stop at its limit
    hung: bool = False
    # whether its machine went away, which says nothing about the job
    by_machine: bool = False


class DeviceState(NamedTuple):
    """The state of a device, as its benchmark process reports it."""

    machine: str  # measured times depend on it
    free_bytes: int


Task: TypeAlias = Job | Screening
Event: TypeAlias = Measured | Row | Rung | Screened | Finished | Died
