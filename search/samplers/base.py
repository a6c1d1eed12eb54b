"""What a sampler that proposes genomes reads and gives: trials as individuals, and a genome with its origin."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

from genome import Genome
from search.samplers.registry import current
from search.space.point import NOTHING_SEARCHED, Point, Searched

ORIGIN = "origin"  # attribute of a trial that stores an Origin
# by whom a published network came that the study trains first, and its last move where the space does not hold it
REFERENCE, OUTSIDE = "reference", "outside the space"
# what a study names in place of a file of experience: that of the package, and none at all
AUTO, NONE = "auto", "none"
SUFFIX = ".json.gz"  # of such a file


class Origin(NamedTuple):
    """How a genome came about."""

    # the name of the sampler
    by: str
    # numbers of the trials from whose genomes it was made
    parents: tuple[int, ...] = ()
    # what was done to them, in words
    moves: tuple[str, ...] = ()

    @property
    def reference(self) -> str | None:
        """The name of the published network, None where the network came from a sampler or a person."""
        return self.moves[0] if self.by == REFERENCE else None

    @property
    def is_outside(self) -> bool:
        """Whether the space of the study does not hold the network."""
        return self.by == REFERENCE and OUTSIDE in self.moves

    def to_json(self) -> dict[str, Any]:
        """Return it as a trial stores it."""
        return {"by": self.by, "parents": list(self.parents), "moves": list(self.moves)}

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> Origin:
        """Read what `to_json` gave; a sampler that had another name then has that of today."""
        return Origin(current(stored["by"]), tuple(stored["parents"]), tuple(stored["moves"]))


class Proposal(NamedTuple):
    """A genome to try, and the values of its recipe that the study searches."""

    genome: Genome
    origin: Origin
    # where a sampler of a user leaves them out, they are drawn evenly
    searched: Searched = NOTHING_SEARCHED

    @staticmethod
    def of(point: Point, origin: Origin) -> Proposal:
        """Propose a point of a space."""
        return Proposal(point.genome, origin, point.searched)

    @property
    def point(self) -> Point:
        return Point(self.genome, self.searched)


@dataclass(frozen=True)
class Individual:
    """A trial as a sampler sees it: running, or ended with or without a result."""

    # of the trial
    number: int
    genome: Genome
    # of the network, for which genomes that differ may be one, and of the values in `searched`
    digest: str
    # one number for each objective, lower is better; None where nothing was measured, as while it is running
    costs: tuple[float, ...] | None = None
    # share of a whole training after which the costs were measured: below 1 for a trial that was pruned
    progress: float = 1.0
    # by how much it breaks limits, 0 where it breaks none
    violation: float = 0.0
    is_running: bool = False
    origin: Origin | None = None
    # device seconds charged
    seconds: float = 0.0
    # what was measured at its rungs: progress, and the cost there of the objective `goal`
    climb: tuple[tuple[float, float], ...] = ()
    # index of the objective by which trials are compared while they are trained
    goal: int = 0
    # values of its recipe that the study searches
    searched: Searched = field(default_factory=dict, hash=False)
    # of a network whose only cost cannot be lower: of such networks the smaller one is better
    perfect_params: int | None = None

    @property
    def point(self) -> Point:
        return Point(self.genome, self.searched)

    @cached_property  # asked of every trial for every proposal
    def is_measured(self) -> bool:
        """Whether it was trained and every cost is finite."""
        return self.costs is not None and all(math.isfinite(cost) for cost in self.costs)


@runtime_checkable
class Proposer(Protocol):
    """A sampler that reads trials as genomes and proposes the next genome of its space.

    It is made with its space and asked once for each trial, by any number of processes beside each other: it must
    not wait for a trial to end, nor count on being told of one. Anything it remembers is a cache: the same history,
    `avoid` and seed give the same proposal, so that a study that is resumed goes on as if it had not stopped.
    `search.testing` checks all of this.
    """

    # stored with each trial as `Origin.by`
    name: str

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose a genome of the space.

        history: every trial so far, by number: measured, pruned, failed, refused and running ones.
        avoid: known digests (`search.space.point.digest_of`); one of these is proposed only where no other is found.
        """
        ...
