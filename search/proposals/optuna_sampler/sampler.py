"""A sampler that proposes genomes, as a sampler of Optuna."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.proposals.optuna_sampler.history import History
from search.samplers import registry
from search.samplers.base import ORIGIN, Proposer
from search.space.distributions import distribution
from search.space.space import Space
from search.storage.trial import set_user_attr

if TYPE_CHECKING:
    from optuna.study import Study

MakesProposer: TypeAlias = Callable[[Space, int, int], Proposer]  # of space, seed and number of objectives


class GenomeSampler(BaseSampler):
    """Propose a genome for each trial, as answers to the holes of a space.

    `sampler` is the name of a sampler that proposes genomes, such as evolve or bayes; or a class or function of your
    own that makes one of (space, seed, number of objectives), see `search.samplers.base.Proposer`. Parameters that are
    no holes of the space are drawn evenly. The user attribute `origin` of a trial has its sampler, parents and moves.
    """

    def __init__(
        self, space: Space, sampler: str | MakesProposer = "evolve", seed: int | None = None
    ) -> None:
        self._space = space
        self._make: MakesProposer = registry.maker(sampler) if isinstance(sampler, str) else sampler
        self._seed = Random().randrange(2**32) if seed is None else seed
        self._even = RandomSampler(seed=self._seed)
        self._history = History(space)
        self._proposer: Proposer | None = None
        self._proposed: dict[int, dict[str, Any]] = {}  # answers by trial number, until they are asked for
        self._lock = threading.Lock()

    def reseed_rng(self) -> None:
        """Draw another seed, as each of several threads or processes has to."""
        self._seed = Random().randrange(2**32)
        self._proposer = None
        self._even.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Propose a genome; the parameters are the holes that lead to it."""
        with self._lock:
            answers = self._answers(study, trial)
            self._proposed[trial.number] = answers
        return {name: distribution(self._space.holes[name]) for name in answers}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the proposed genome's answers; a parameter that is no hole of the space is drawn evenly."""
        with self._lock:
            answers = self._proposed.pop(trial.number, None)
            if answers is None and search_space.keys() & self._space.holes.keys():
                answers = self._answers(study, trial)
        return {
            name: answers[name]
            if answers is not None and name in answers and self._is_hole(name, asked)
            else self.sample_independent(study, trial, name, asked)
            for name, asked in search_space.items()
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw evenly."""
        return self._even.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Forget what was proposed for a trial that never asked."""
        self._proposed.pop(trial.number, None)

    def _is_hole(self, name: str, asked: BaseDistribution) -> bool:
        return name in self._space.holes and distribution(self._space.holes[name]) == asked

    def _answers(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        if self._proposer is None:
            self._proposer = self._make(self._space, self._seed, len(study.directions))
        history = self._history.before(study, trial)
        proposal = self._proposer.propose(history, {one.digest for one in history})
        set_user_attr(study, trial, ORIGIN, proposal.origin.to_json())
        return self._space.answers(proposal.point)
