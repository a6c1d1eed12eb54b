"""The other coordinators that work on the same shared study: their trials, their devices, their spending."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from search.run.context import Context
from search.run.ownership import is_abandoned, owner, sign_of
from search.run.promotion import Promotion
from search.run.recovery import recover
from search.storage.record import OWNER, PLAN, SHARE, UNFINISHED, record
from search.storage.seed_results import read_seed_results
from search.storage.store import Store

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOOK_SECONDS = 5.0  # from one look at what all have spent, while trials run, to the next
RECOVER_SECONDS = 10.0  # from one look for trials of a dead coordinator to the next


@dataclass(frozen=True)
class PeerTrials:
    """The unfinished trials of other coordinators, as they were stored last."""

    numbers: frozenset[int] = frozenset()
    digests: Mapping[int, str] = field(default_factory=dict)  # of their networks, by trial
    trained: frozenset[int] = frozenset()  # those whose training has begun
    devices: float = 0.0  # that they keep busy
    abandoned: frozenset[int] = frozenset()  # those of a dead coordinator, until another recovers them

    def have(self, digest: str, number: int) -> bool:
        """Whether another coordinator trains a network, and not the trial of this number.

        Of two trials of one network that begin together the lower number trains it: each is stored before its
        coordinator looks.
        """
        return any(
            theirs == digest and (other < number or other in self.trained)
            for other, theirs in self.digests.items()
        )

    def without(self, ended: Container[int]) -> PeerTrials:
        """Return this without the trials that have ended by now."""
        still = frozenset(number for number in self.numbers if number not in ended)
        digests = {number: digest for number, digest in self.digests.items() if number in still}
        trained, abandoned = self.trained & still, self.abandoned & still
        return replace(self, numbers=still, digests=digests, trained=trained, abandoned=abandoned)

    def before(self, number: int) -> int:
        """Return how many of the trials began before the one of this number."""
        return sum(other < number for other in self.numbers)


def peer_trials(store: Store) -> PeerTrials:
    """Read the unfinished trials of other coordinators; an embedded study has none."""
    if not store.shared:
        return PeerTrials()
    trials = store.study.get_trials(deepcopy=False)
    theirs = [trial for trial in trials if _is_of_a_peer(trial)]
    abandoned = frozenset(trial.number for trial in theirs if _is_abandoned(store, trial))
    active = [t for t in theirs if t.number not in abandoned and record(t).outcome != "paused"]
    trained = [trial for trial in active if SHARE in trial.user_attrs]
    busy = dict.fromkeys(_alive(store, trials), 0.0)
    for trial in trained:
        busy[trial.user_attrs[OWNER]] = busy.get(trial.user_attrs[OWNER], 0.0) + trial.user_attrs[SHARE]
    return PeerTrials(
        numbers=frozenset(trial.number for trial in theirs),
        digests={t.number: t.user_attrs[PLAN]["digest"] for t in active if PLAN in t.user_attrs},
        trained=frozenset(trial.number for trial in trained),
        devices=sum(
            max(1.0, share) for share in busy.values()
        ),  # a coordinator between two trials has one, too
        abandoned=abandoned,
    )


def _is_of_a_peer(trial: FrozenTrial) -> bool:
    return trial.state.name == "RUNNING" and trial.user_attrs.get(OWNER) != owner()


def _is_abandoned(store: Store, trial: FrozenTrial) -> bool:
    return is_abandoned(store, trial.user_attrs.get(OWNER), sign_of(trial))


def _alive(store: Store, trials: list[FrozenTrial]) -> list[str]:
    """The other coordinators that gave a sign of life not long ago, through a trial or in the finale."""
    seen: dict[str, float] = {}
    for coordinator, at in _signs(store, trials):
        seen[coordinator] = max(at, seen.get(coordinator, 0.0))
    return [one for one, at in seen.items() if one != owner() and not is_abandoned(store, one, at)]


def _signs(store: Store, trials: list[FrozenTrial]) -> Iterator[tuple[str, float]]:
    for trial in trials:
        if OWNER in trial.user_attrs:
            yield trial.user_attrs[OWNER], sign_of(trial)
    for finale in read_seed_results(store.study.user_attrs).values():
        for one in finale.seeds.values():
            if one.owner is not None:
                yield one.owner, one.seen_at or 0.0


@dataclass
class Peers:
    """The other coordinators, as this one saw them last."""

    run: Context
    promotion: Promotion
    trials: PeerTrials = field(default_factory=PeerTrials)
    spending_at: float = 0.0  # time.monotonic()
    recovered_at: float = field(default_factory=time.monotonic)

    def recovered_paused(self) -> Collection[int]:
        """Recover the trials of dead coordinators now and then; return those that are paused."""
        if not self.run.store.shared or time.monotonic() - self.recovered_at < RECOVER_SECONDS:
            return ()
        self.recovered_at = time.monotonic()
        return recover(self.run.store, self.run.config).paused

    def look(self, own: Container[int]) -> None:
        """Read the trials of other coordinators. own: the trials that this one runs."""
        if not self.run.store.shared:
            return
        found = peer_trials(self.run.store)
        self.catch_up(own)
        # a trial that ended between the two readings is counted once
        self.trials = found.without(self.run.history.ended())
        self.run.budget.other_devices = self.trials.devices
        self.run.budget.refresh()

    def catch_up(self, own: Container[int] = ()) -> None:
        """Take in what is new in the storage: everything at the start, trials of other coordinators later."""
        history = self.run.history
        for stored in self.run.store.records():
            if history.has_ended(stored.number) or stored.number in own or stored.outcome == "waiting":
                continue
            history.add(stored)
            if stored.outcome not in UNFINISHED:
                self.promotion.learn(stored)

    def is_overspent(self) -> bool:
        """Whether all coordinators together have spent more than the budget; read now and then.

        The limits of running trials do not account for a coordinator that joined after they started.
        """
        if not self.run.store.shared or time.monotonic() - self.spending_at < LOOK_SECONDS:
            return False
        self.spending_at = time.monotonic()
        self.run.budget.refresh()
        left = self.run.budget.left_seconds()
        return left is not None and left < 0

    def is_one_too_many(self, number: int, counted: int, running: int) -> bool:
        """Whether others began the last trials of the study at the moment at which the trial of this number began."""
        most, before = self.run.config.trials, self.trials.before(number)
        return most is not None and before > 0 and counted + running + before >= most
