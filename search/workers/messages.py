"""What the coordinator and a child say to each other through their pipe."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from trainer import Recipe

HALT = signal.SIGUSR1  # to a child: keep what the trial has come to, and stop it


class Setup(NamedTuple):
    """What a child needs once, when it starts. `threads` are torch's, in this child; `keeps_pages` says whether
    memory that is freed stays with it, which is faster and takes somewhat more."""

    data: str
    root: str | None
    size: int | None
    mirror: bool | None
    device: str
    threads: int
    keeps_pages: bool = False


class Job(NamedTuple):
    """One trial to train: building, training and evaluation, in seconds on its slot.

    trial_seconds: its limit, what earlier trials spent on the checkpoint that it goes on from included.
    left_seconds: what the purse can pay now.  charged_share: 1 / slots on the device, charged of each second.
    paid_seconds: device seconds charged for it before: until it paused, or to choose it.
    memory_bytes: on CPU kept by the operating system, as growth of this process's address space.
    folder: receives genome.yaml, weights.safetensors and report.json, and a checkpoint meanwhile, every
    checkpoint_seconds.  earlier: folders that may hold what it goes on from, the nearest first: its own where it
    paused, or is trained anew and was interrupted, those of the trials that it repeats.  parent: folder of the trial
    whose weights it begins with.  trial: whose network it trains anew, for the finale; `number` then only tells the
    jobs apart.
    """

    number: int
    genome: str
    digest: str
    recipe: Recipe
    rungs: tuple[int, ...]
    trial_seconds: float | None
    left_seconds: float | None
    charged_share: float
    memory_bytes: int | None
    predicted_bytes: int
    latency: bool
    folder: str
    checkpoint_seconds: float
    earlier: tuple[str, ...] = ()
    paid_seconds: float = 0.0
    parent: str | None = None
    trial: int | None = None

    def limit_seconds(self) -> float | None:
        """Return the most that it can take on its slot from now on."""
        limits = [limit for limit in (self.trial_seconds, self.left_seconds) if limit is not None]
        return min(limits, default=None)


class Screening(NamedTuple):
    """Candidates, as genomes' texts, of which to measure proxies before one of them is trained.

    number: below 0, as none of them has a trial.  seed: of the weights, as in training.  most_seconds: after which no
    further candidate is measured.
    """

    number: int
    genomes: tuple[str, ...]
    proxies: tuple[str, ...]
    seed: int
    most_seconds: float | None
    memory_bytes: int | None

    def limit_seconds(self) -> float | None:
        """Return the most that it can take on its slot, but for the candidate in hand."""
        return self.most_seconds


class Ready(NamedTuple):
    """The child has its data and waits for jobs."""


class Broken(NamedTuple):
    """The child cannot do any job, such as for want of the data."""

    reason: str


class Row(NamedTuple):
    """One epoch of a trial's curve."""

    number: int
    row: Mapping[str, Any]


class Rung(NamedTuple):
    """A trial stands at a rung and waits for `Verdict`."""

    number: int
    epoch: int
    scores: Mapping[str, float]


class Verdict(NamedTuple):
    """Whether the trial at a rung shall stop for good, or pause: keep what it has come to, and make room."""

    stop: bool
    pause: bool = False


class Screened(NamedTuple):
    """The proxies of each candidate, None for one that has none, and the seconds that they took on the slot."""

    number: int
    rows: tuple[Mapping[str, float] | None, ...]
    seconds: float


class Finished(NamedTuple):
    """A trial's report as plain values, as its report.json holds it."""

    number: int
    report: Mapping[str, Any]


class Died(NamedTuple):
    """The child ended while it had this trial; `reason` is a sentence. Made by the coordinator's side."""

    number: int
    reason: str


Task: TypeAlias = Job | Screening
Event: TypeAlias = Row | Rung | Screened | Finished | Died


class Room(NamedTuple):
    """What a process says of its device: the machine, as measured times depend on it, and bytes that are free."""

    machine: str
    free_bytes: int
