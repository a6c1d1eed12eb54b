"""What our own samplers read and give: finished trials as individuals, a genome with where it comes from."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

from genome import Genome


class Origin(NamedTuple):
    """How a genome came about: the sampler's word, the numbers of its parents' trials, what was done to them."""

    by: str
    parents: tuple[int, ...] = ()
    moves: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a trial keeps it."""
        return {"by": self.by, "parents": list(self.parents), "moves": list(self.moves)}

    @staticmethod
    def of_json(kept: Mapping[str, Any]) -> Origin:
        """Read what `to_json` gave."""
        return Origin(kept["by"], tuple(kept["parents"]), tuple(kept["moves"]))


class Proposal(NamedTuple):
    """A genome to try."""

    genome: Genome
    origin: Origin


@dataclass(frozen=True)
class Individual:
    """A trial as a sampler sees it.

    `costs` has one number for each objective, lower is better; None where nothing was measured. `progress` is the
    share of the whole training after which they were measured: below 1 for a trial that was pruned. `violation` is
    by how much it breaks limits, 0 where it breaks none. `seconds` were charged for it. `climb` has what it had at its
    rungs on the way: the progress, and the cost there of the objective `goal`. A running trial has no costs and no
    violation.
    """

    number: int
    genome: Genome
    digest: str
    costs: tuple[float, ...] | None = None
    progress: float = 1.0
    violation: float = 0.0
    is_running: bool = False
    origin: Origin | None = None
    seconds: float = 0.0
    climb: tuple[tuple[float, float], ...] = ()
    goal: int = 0

    @cached_property  # asked of every trial for every proposal
    def is_measured(self) -> bool:
        """Whether it was trained and something finite came of it."""
        return self.costs is not None and all(math.isfinite(cost) for cost in self.costs)


@runtime_checkable
class Proposer(Protocol):
    """A sampler of ours: it reads what is known and proposes a genome of its space.

    The same past, seed and number of trials so far give the same proposal.
    """

    word: str

    def propose(self, past: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose a genome. `past`: every trial, by number.  avoid: digests that were met already; a network of
        such a digest is proposed only where none other is found."""
        ...


ORIGIN = "origin"  # by which sampler of ours, from which trials, by which moves
