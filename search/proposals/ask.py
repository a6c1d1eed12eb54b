"""Asking for the next network: a sampler of Optuna suggests parameters, a proposer of this package a whole genome."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import genome
from genome import GenomeError
from genome.domain import DomainError
from search.proposals.custom_sampler import guarded
from search.proposals.history import History
from search.samplers.base import ORIGIN, Origin, Proposer
from search.samplers.random_search import RandomSearch
from search.space.distributions import asker
from search.space.point import NOTHING_SEARCHED, Point
from search.space.space import Space
from search.storage.record import GENOME, SEARCHED
from search.storage.study import Store
from search.storage.trial import GenomeTrial, LiveTrial, OptunaTrial

if TYPE_CHECKING:
    import optuna

log = logging.getLogger("search")

REPEATS = (
    5  # duplicate networks in a row, after which a random network takes the place of the next suggestion
)
QUEUE_SECONDS = 10.0  # from one look at an empty queue to the next
FIXED = "fixed_params"  # system attribute of a trial that was enqueued with parameters


class Suggestion(NamedTuple):
    """A network to try, with its recipe."""

    # None: there is none, for the reason in `error`
    point: Point | None
    # the trial, where Optuna has stored it already
    trial: optuna.Trial | None = None
    origin: Origin | None = None
    error: str | None = None

    @property
    def is_reference(self) -> bool:
        return self.origin is not None and self.origin.reference is not None


class SuggestionSource(Protocol):
    """Suggests the networks of a study."""

    def ask(self, avoid: Collection[str] = ()) -> Suggestion:
        """Return the network to try next. avoid: digests of networks that a proposer shall not propose."""
        ...


@dataclass
class OptunaSuggestions:
    """A sampler of Optuna, which is asked for one parameter a hole."""

    store: Store
    space: Space
    # whether the sampler is asked for every hole, those of branches that are not chosen included
    asks_all: bool
    history: History
    # draws a network where the sampler keeps repeating networks
    fallback: RandomSearch
    is_custom: bool = False  # whether a user gave the sampler object
    has_warned: bool = False

    def ask(self, avoid: Collection[str] = ()) -> Suggestion:
        if self.history.repeats >= REPEATS:
            self._enqueue_random()
        return guarded(self.store.study.sampler, self._asked) if self.is_custom else self._asked()

    def _asked(self) -> Suggestion:
        trial = self.store.study.ask()
        try:
            return Suggestion(self.space.point(asker(trial), everything=self.asks_all), trial)
        except (GenomeError, DomainError) as error:
            return Suggestion(None, trial, error=str(error))

    def _enqueue_random(self) -> None:
        """Enqueue a random network, a new one if there is any."""
        random = self.fallback.propose(self.history.individuals(), self.history.digests)
        attrs = {ORIGIN: random.origin.to_json()}
        self.store.study.enqueue_trial(self.space.answers(random.point), user_attrs=attrs)
        if not self.has_warned:
            self.has_warned = True
            log.warning(
                "the sampler repeated known networks %d times in a row; drawing a random one instead", REPEATS
            )


@dataclass
class QueueCheck:
    """When the queue is read next: reading it costs as much as proposing a network."""

    # time.monotonic() until which the queue is taken to be empty
    skip_until: float = 0.0


@dataclass(frozen=True)
class ProposerSuggestions:
    """A proposer of this package. Its trials store the text of a genome and have no parameters."""

    store: Store
    space: Space
    proposer: Proposer
    history: History
    is_custom: bool = False  # whether a user gave the proposer; its genomes are checked against the space
    queue_check: QueueCheck = field(default_factory=QueueCheck)

    def ask(self, avoid: Collection[str] = ()) -> Suggestion:
        trial, fixed = self._waiting()
        enqueued = _enqueued(trial, fixed, self.space) if trial is not None else None
        if enqueued is not None:
            return enqueued
        return self.propose(avoid)._replace(trial=trial)

    def propose(self, avoid: Collection[str] = ()) -> Suggestion:
        """Propose a network that has no trial and is not to be avoided; the queue is left alone."""
        known = self.history.digests | set(avoid) if avoid else self.history.digests
        proposal = self.proposer.propose(self.history.individuals(), known)
        point, mistake = self._checked(proposal.point) if self.is_custom else (proposal.point, None)
        return Suggestion(point, None, proposal.origin, mistake)

    def _checked(self, proposed: Point) -> tuple[Point | None, str | None]:
        """Return a point as the space has it, where 1 may be written for 1.0; or why it is not in the space."""
        try:
            answers = self.space.answers(proposed)
        except (ValueError, AttributeError, TypeError) as error:
            return None, f"the sampler proposed a genome outside the space: {error}"
        return Point(proposed.genome, self.space.recipes.decode(lambda name, _: answers[name])), None

    def _waiting(self) -> tuple[optuna.Trial | None, dict[str, Any]]:
        """Return the next trial of the queue, None where the queue is empty, and the parameters it was enqueued with.

        Where another coordinator takes that trial first, the trial is a new and empty one.
        """
        from optuna.trial import TrialState

        # on a shared storage any coordinator may enqueue retries of a dead one, which count towards the cap on trials
        if not self.store.shared and time.monotonic() < self.queue_check.skip_until:
            return None, {}
        study = self.store.study
        queue = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not queue:
            self.queue_check.skip_until = time.monotonic() + QUEUE_SECONDS
            return None, {}
        trial = study.ask()
        fixed = {waiting.number: waiting.system_attrs.get(FIXED, {}) for waiting in queue}
        return trial, fixed.get(trial.number, {})


def _enqueued(trial: optuna.Trial, params: Mapping[str, Any], space: Space) -> Suggestion | None:
    """Return what a trial was enqueued with, the text of a genome or parameters; None where it has neither."""
    attrs = trial.user_attrs
    origin = Origin.of_json(attrs[ORIGIN]) if ORIGIN in attrs else None
    try:
        if GENOME in attrs:
            point = Point(genome.loads(attrs[GENOME]), attrs.get(SEARCHED, NOTHING_SEARCHED))
            if origin is None or not origin.is_outside:
                space.answers(point)
            return Suggestion(point, trial, origin)
        if params:
            return Suggestion(space.point(lambda name, _: params[name]), trial, origin)
    except (KeyError, ValueError) as error:
        return Suggestion(None, trial, origin, f"the enqueued genome is not in this space ({error})")
    return None


def start_trial(
    store: Store, suggestion: Suggestion, attrs: Mapping[str, Any], constraints: Mapping[str, float]
) -> LiveTrial:
    """Return the running trial of a suggestion, stored with these attributes and constraints."""
    if suggestion.origin is not None:
        attrs = {**attrs, ORIGIN: suggestion.origin.to_json()}
    if suggestion.trial is None:
        return GenomeTrial.begin(store.study, attrs, constraints)
    live = OptunaTrial(suggestion.trial)
    for name, value in attrs.items():
        if live.attrs.get(name) != value:
            live.set_attr(name, value)
    for name, over in constraints.items():
        live.set_constraint(name, over)
    return live
