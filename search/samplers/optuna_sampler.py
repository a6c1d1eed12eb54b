"""Our samplers as plain samplers of Optuna, for any objective that decodes its genome from the trial.

space = search.Space.load("space.yaml")
study = optuna.create_study(direction="maximize", sampler=GenomeSampler(space, "evolve", seed=0))
study.optimize(lambda trial: score(space.decode(asker(trial))), n_trials=100)
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

import genome
from search.samplers import proposer
from search.samplers.base import ORIGIN, Individual, Origin, Proposal, Proposer
from search.space.distributions import distribution
from search.space.space import Space

if TYPE_CHECKING:
    from optuna.study import Study


class GenomeSampler(BaseSampler):
    """Propose children of earlier trials' genomes, as answers to the holes of a space.

    name: a sampler of ours, such as evolve or kernel.  Names that are no holes of the space are drawn evenly. The
    lineage of a trial (sampler, parents, moves) is its user attribute `origin`.
    """

    def __init__(self, space: Space, name: str = "evolve", seed: int | None = None) -> None:
        self._space, self._name = space, name
        self._seed = Random().randrange(2**32) if seed is None else seed
        self._even = RandomSampler(seed=self._seed)
        self._proposer: Proposer | None = None
        self._known: dict[int, Individual] = {}  # finished trials by number
        self._proposed: dict[int, dict[str, Any]] = {}  # answers by trial id, until they are asked for
        self._lock = threading.Lock()

    def reseed_rng(self) -> None:
        """Draw another seed, as each of several threads or processes has to."""
        self._seed = Random().randrange(2**32)
        self._proposer = None
        self._even.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Propose a genome; the questions are those that lead to it."""
        with self._lock:
            answers = self._answers(study, trial)
            self._proposed[trial._trial_id] = answers
        return {name: distribution(self._space.holes[name]) for name in answers}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the proposed genome's answers; what is none of the space's questions is drawn evenly."""
        with self._lock:
            answers = self._proposed.pop(trial._trial_id, None)
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
        self._proposed.pop(trial._trial_id, None)

    def _is_hole(self, name: str, asked: BaseDistribution) -> bool:
        return name in self._space.holes and distribution(self._space.holes[name]) == asked

    def _answers(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        if self._proposer is None:
            self._proposer = proposer(self._name, self._space, self._seed, len(study.directions))
        past = self._past(study, trial)
        proposal: Proposal = self._proposer.propose(past, {one.digest for one in past})
        study._storage.set_trial_user_attr(trial._trial_id, ORIGIN, proposal.origin.to_json())
        return self._space.encode(proposal.genome)

    def _past(self, study: Study, trial: FrozenTrial) -> list[Individual]:
        """Every other trial whose parameters are a genome of the space; finished ones are read once."""
        found = []
        for other in study.get_trials(deepcopy=False):
            if other.number == trial.number or other.state == TrialState.WAITING:
                continue
            one = self._known.get(other.number) or self._individual(study, other)
            if other.state.is_finished() and one is not None:
                self._known[other.number] = one
            if one is not None:
                found.append(one)
        return found

    def _individual(self, study: Study, trial: FrozenTrial) -> Individual | None:
        try:
            written = self._space.decode(lambda name, _: trial.params[name])
        except (KeyError, ValueError):
            return None
        try:
            digest, legal = genome.digest(genome.resolve(written)), True
        except ValueError:
            digest, legal = "", False
        kept = trial.user_attrs.get(ORIGIN)
        return Individual(
            trial.number,
            written,
            digest,
            _costs(trial, study.directions),
            1.0 if trial.state == TrialState.COMPLETE else 0.5,
            sum(max(0.0, excess) for excess in trial.constraints.values()) + (not legal),
            not trial.state.is_finished(),
            Origin.of_json(kept) if kept else None,
            climb=_climb(trial, study.directions),
        )


def _climb(trial: FrozenTrial, directions: Sequence[StudyDirection]) -> tuple[tuple[float, float], ...]:
    """What was reported on the way, lower is better; nothing of several objectives."""
    sign = -1.0 if directions[0] == StudyDirection.MAXIMIZE else 1.0
    return tuple((float(step), sign * value) for step, value in sorted(trial.intermediate_values.items()))


def _costs(trial: FrozenTrial, directions: Sequence[StudyDirection]) -> tuple[float, ...] | None:
    """What was measured, lower is better; of a pruned trial of one objective what it reported last."""
    values = trial.values if trial.state == TrialState.COMPLETE else None
    if values is None and trial.state == TrialState.PRUNED and len(directions) == 1:
        last = trial.last_step
        values = None if last is None else [trial.intermediate_values[last]]
    if values is None:
        return None
    signs = [-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in directions]
    return tuple(sign * value for sign, value in zip(signs, values, strict=True))
