"""What the coordinator and a child say to each other through their pipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from trainer import Recipe


class Setup(NamedTuple):
    """What a child needs once, when it starts. `threads` are torch's, in this child."""

    data: str
    root: str | None
    size: int | None
    mirror: bool | None
    device: str
    threads: int


class Job(NamedTuple):
    """One trial to train. `seconds` limits building, training and evaluation together; `charged_share` of
    them, 1 / slots on the device, is charged to the purse.

    `folder` receives genome.yaml, weights.safetensors and report.json. `memory_bytes` is enforced on CPU by
    the operating system, as growth of this process's address space.
    """

    number: int
    genome: str
    digest: str
    recipe: Recipe
    rungs: tuple[int, ...]
    seconds: float | None
    charged_share: float
    memory_bytes: int | None
    latency: bool
    folder: str


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
    """Whether the trial at a rung shall stop."""

    stop: bool


class Finished(NamedTuple):
    """A trial's report as plain values, as its report.json holds it."""

    number: int
    report: Mapping[str, Any]


class Died(NamedTuple):
    """The child ended while it had this trial; `reason` is a sentence. Made by the coordinator's side."""

    number: int
    reason: str


Event: TypeAlias = Row | Rung | Finished | Died
