"""What to try next: put together from Optuna's answers, or proposed as a genome by a sampler of ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import genome
from genome import Genome, GenomeError
from genome.domain import DomainError
from search.proposals.history import History
from search.samplers.base import ORIGIN, Origin, Proposer
from search.samplers.random_search import RandomSearch
from search.space.distributions import asker
from search.space.space import Space
from search.storage.live_trial import Asked, Handle, Proposed
from search.storage.record import GENOME
from search.storage.store import Store

if TYPE_CHECKING:
    import optuna

log = logging.getLogger("search")

REPEATS = 5  # known networks in a row after which Optuna's sampler is moved on
LOOK_SECONDS = 10.0  # in which what a person enqueues is seen
FIXED = "fixed_params"  # system attribute of a trial that was enqueued with parameters


class Drawn(NamedTuple):
    """What came of asking: a genome, or `error`, why there is none. `trial` is there already where Optuna made it."""

    genome: Genome | None
    trial: optuna.Trial | None = None
    origin: Origin | None = None
    error: str | None = None


class Asking(Protocol):
    """Who is asked for the next network of a study."""

    def draw(self, avoid: Collection[str] = ()) -> Drawn:
        """Return what to try next; a sampler of ours also keeps away from networks of these digests."""
        ...


@dataclass
class Answers:
    """A sampler of Optuna, asked for one parameter a hole.

    Where it goes on repeating networks that are known, `even` draws one in its place.
    """

    store: Store
    space: Space
    everything: bool
    past: History
    even: RandomSearch
    has_said: bool = False

    def draw(self, avoid: Collection[str] = ()) -> Drawn:
        if self.past.repeats >= REPEATS:
            self._move_on()
        trial = self.store.study.ask()
        try:
            return Drawn(self.space.decode(asker(trial), everything=self.everything), trial)
        except (GenomeError, DomainError) as error:
            return Drawn(None, trial, error=str(error))

    def _move_on(self) -> None:
        """Put a network that is new, where there is one, into the queue."""
        drawn, origin = self.even.propose(self.past.individuals(), self.past.digests)
        attrs = {ORIGIN: origin.to_json()}
        self.store.study.enqueue_trial(self.space.encode(drawn), user_attrs=attrs)
        if not self.has_said:
            self.has_said = True
            log.warning(
                "the sampler came up with known networks %d times in a row; when it does, the next is drawn evenly",
                REPEATS,
            )


@dataclass
class Quiet:
    """Until when, by time.monotonic(), the queue is taken to be empty: looking costs as much as proposing."""

    until: float = 0.0


@dataclass(frozen=True)
class Genomes:
    """A sampler of ours: its trials keep a genome's text and have no parameters."""

    store: Store
    space: Space
    proposer: Proposer
    past: History
    quiet: Quiet = field(default_factory=Quiet)

    def draw(self, avoid: Collection[str] = ()) -> Drawn:
        trial, fixed = self._waiting()
        given = _given(trial, fixed, self.space) if trial is not None else None
        if given is not None:
            return given
        return self.propose(avoid)._replace(trial=trial)

    def propose(self, avoid: Collection[str] = ()) -> Drawn:
        """Propose a network that was not met, nor is to be avoided; what waits in the queue is left there."""
        known = self.past.digests | set(avoid) if avoid else self.past.digests
        proposal = self.proposer.propose(self.past.individuals(), known)
        return Drawn(proposal.genome, None, proposal.origin)

    def _waiting(self) -> tuple[optuna.Trial | None, dict[str, Any]]:
        """The next trial of the queue with the parameters it was given, if any; should another coordinator be
        quicker, a trial with nothing in it."""
        from optuna.trial import TrialState

        # of several coordinators any may put there what one that is gone had in hand: it has its place under the cap
        if not self.store.shared and time.monotonic() < self.quiet.until:
            return None, {}
        study = self.store.study
        queue = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if not queue:
            self.quiet.until = time.monotonic() + LOOK_SECONDS
            return None, {}
        trial = study.ask()
        fixed = {one.number: one.system_attrs.get(FIXED, {}) for one in queue}
        return trial, fixed.get(trial.number, {})


def _given(trial: optuna.Trial, params: Mapping[str, Any], space: Space) -> Drawn | None:
    """What a trial was enqueued with: a genome's text, or parameters; None where it has neither."""
    attrs = trial.user_attrs
    origin = Origin.of_json(attrs[ORIGIN]) if ORIGIN in attrs else None
    try:
        if GENOME in attrs:
            given = genome.loads(attrs[GENOME])
            space.encode(given)
            return Drawn(given, trial, origin)
        if params:
            return Drawn(space.decode(lambda name, _: params[name]), trial, origin)
    except (KeyError, ValueError) as error:
        return Drawn(None, trial, origin, f"what was enqueued is no genome of this space ({error})")
    return None


def begin(store: Store, drawn: Drawn, attrs: Mapping[str, Any], constraints: Mapping[str, float]) -> Handle:
    """Return the trial of what was drawn, with its attributes and constraints."""
    if drawn.origin is not None:
        attrs = {**attrs, ORIGIN: drawn.origin.to_json()}
    if drawn.trial is None:
        return Proposed.begin(store.study, attrs, constraints)
    handle = Asked(drawn.trial)
    for name, value in attrs.items():
        if handle.attrs.get(name) != value:
            handle.keep(name, value)
    for name, over in constraints.items():
        handle.constrain(name, over)
    return handle
