"""A sampler object that a user gives to a study: checked when it is given, and guarded when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from search.errors import StudyError
from search.samplers.base import Individual, Proposal, Proposer
from search.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

T = TypeVar("T")


def check_sampler(sampler: object) -> None:
    """Raise StudyError, one sentence, unless an object is a proposer or a sampler of Optuna."""
    from optuna.samplers import BaseSampler

    if isinstance(sampler, type) or not isinstance(sampler, Proposer | BaseSampler):
        what = sampler.__name__ + ", a class" if isinstance(sampler, type) else type(sampler).__name__
        raise StudyError(
            f"sampler is {what}; give an object with `name` and `propose(history, avoid)`, or a sampler of Optuna"
        )


def guarded(sampler: Proposer | BaseSampler, ask: Callable[[], T]) -> T:
    """Ask a user's sampler. Raises StudyError, one sentence, where the sampler raises; errors of the storage pass."""
    import sqlalchemy.exc
    from optuna.exceptions import OptunaError

    try:
        return ask()
    except (StudyError, OptunaError, sqlalchemy.exc.SQLAlchemyError):
        raise
    except Exception as error:  # a sampler of somebody else can raise anything
        name = getattr(sampler, "name", type(sampler).__name__)
        raise StudyError(f"sampler {name} raised {type(error).__name__}: {error}") from error


class GuardedProposer:
    """A user's proposer whose mistakes are sentences. A proposal that says nothing of the recipe gets an even draw."""

    def __init__(self, proposer: Proposer, space: Space, seed: int) -> None:
        self.name, self.proposer = proposer.name, proposer
        self.space, self.seed = space, seed

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Return its proposal. Raises StudyError where the proposer raises or proposes something else."""
        proposal: Any = guarded(self.proposer, lambda: self.proposer.propose(history, avoid))
        if not isinstance(proposal, Proposal):
            raise StudyError(
                f"sampler {self.name} proposed {type(proposal).__name__}; `propose` must return a search.Proposal"
            )
        if proposal.searched or not self.space.recipes.holes:
            return proposal
        rng = Random(f"{self.seed}/{len(history)}/recipe")
        return proposal._replace(searched=self.space.recipes.completed({}, rng))
