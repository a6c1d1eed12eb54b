"""The other coordinators that work on the same shared study: their trials, their devices, their spending."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from search.run.context import Context
from search.run.ownership import Heartbeats, heartbeat_of, owner
from search.run.promotion import Promotion
from search.run.recovery import recover
from search.storage.record import OWNER, PLAN, SHARE, UNFINISHED, record
from search.storage.seed_results import read_seed_results
from search.storage.study import Store

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RECOVER_SECONDS = 10.0  # from one search for trials of dead coordinators to the next


@dataclass(frozen=True)
class PeerTrials:
    """The unfinished trials of other coordinators, as they were stored last."""

    numbers: frozenset[int] = frozenset()
    digests: Mapping[int, str] = field(default_factory=dict)  # of their networks, by trial
    trained: frozenset[int] = frozenset()  # those whose training has begun
    devices: float = 0.0  # that their coordinators keep busy
    abandoned: frozenset[int] = frozenset()  # those of a dead coordinator, until another recovers them

    def have(self, digest: str, number: int) -> bool:
        """Whether another coordinator trains the network of this digest, so that the trial of this number waits.

        Of two trials of one network that begin together, the lower number is trained: each trial is stored before
        its coordinator reads the trials of others.
        """
        return any(
            network == digest and (other < number or other in self.trained)
            for other, network in self.digests.items()
        )

    def without(self, ended: Container[int]) -> PeerTrials:
        """Return the trials that are not in `ended`."""
        active = frozenset(number for number in self.numbers if number not in ended)
        digests = {number: digest for number, digest in self.digests.items() if number in active}
        trained, abandoned = self.trained & active, self.abandoned & active
        return replace(self, numbers=active, digests=digests, trained=trained, abandoned=abandoned)

    def before(self, number: int) -> int:
        """Return how many of the trials began before the one of this number."""
        return sum(other < number for other in self.numbers)


def peer_trials(store: Store) -> PeerTrials:
    """Read the unfinished trials of other coordinators; an embedded study has none."""
    if not store.shared:
        return PeerTrials()
    trials, beats = store.study.get_trials(deepcopy=False), Heartbeats.of(store)
    of_peers = [trial for trial in trials if _is_of_a_peer(trial)]
    abandoned = frozenset(trial.number for trial in of_peers if beats.has_left(trial))
    active = [t for t in of_peers if t.number not in abandoned and record(t).outcome != "paused"]
    trained = [trial for trial in active if SHARE in trial.user_attrs]
    busy = dict.fromkeys(_alive(store, trials, beats), 0.0)
    for trial in trained:
        busy[trial.user_attrs[OWNER]] = busy.get(trial.user_attrs[OWNER], 0.0) + trial.user_attrs[SHARE]
    return PeerTrials(
        numbers=frozenset(trial.number for trial in of_peers),
        digests={t.number: t.user_attrs[PLAN]["digest"] for t in active if PLAN in t.user_attrs},
        trained=frozenset(trial.number for trial in trained),
        # a coordinator between two trials keeps one device busy, too
        devices=sum(max(1.0, share) for share in busy.values()),
        abandoned=abandoned,
    )


def _is_of_a_peer(trial: FrozenTrial) -> bool:
    return trial.state.name == "RUNNING" and trial.user_attrs.get(OWNER) != owner()


def _alive(store: Store, trials: list[FrozenTrial], beats: Heartbeats) -> list[str]:
    """Return the other coordinators with a recent heartbeat, through a trial or in the finale."""
    seen: dict[str, float] = {}
    for coordinator, at in _heartbeats(store, trials):
        seen[coordinator] = max(at, seen.get(coordinator, 0.0))
    return [name for name, at in seen.items() if name != owner() and not beats.is_abandoned(name, at)]


def _heartbeats(store: Store, trials: list[FrozenTrial]) -> Iterator[tuple[str, float]]:
    for trial in trials:
        if OWNER in trial.user_attrs:
            yield trial.user_attrs[OWNER], heartbeat_of(trial)
    for finale in read_seed_results(store.study.user_attrs).values():
        for result in finale.seeds.values():
            if result.owner is not None:
                yield result.owner, result.seen_at or 0.0


@dataclass
class Peers:
    """The other coordinators, as this coordinator read them last."""

    run: Context
    promotion: Promotion
    trials: PeerTrials = field(default_factory=PeerTrials)
    updated_at: float = field(default_factory=time.monotonic)
    recovered_at: float = field(default_factory=time.monotonic)

    def recovered_paused(self) -> Collection[int]:
        """Recover the trials of dead coordinators from time to time; return the paused ones."""
        if not self.run.store.shared or time.monotonic() - self.recovered_at < RECOVER_SECONDS:
            return ()
        self.recovered_at = time.monotonic()
        return recover(self.run.store, self.run.config).paused

    def is_due(self) -> bool:
        """Whether the trials of other coordinators were not read for a while."""
        return self.run.store.shared and time.monotonic() - self.updated_at >= RECOVER_SECONDS

    def update(self, own: Container[int]) -> None:
        """Read the trials of other coordinators. own: the trials that this coordinator runs."""
        if not self.run.store.shared:
            return
        self.updated_at = time.monotonic()
        found = peer_trials(self.run.store)
        self.catch_up(own)
        # a trial that ended between the two readings must not be counted twice
        self.trials = found.without(self.run.history.ended())
        self.run.budget.other_devices = self.trials.devices
        self.run.budget.refresh()

    def catch_up(self, own: Container[int] = ()) -> None:
        """Read what is new in the storage: all trials at the start, trials of other coordinators later."""
        history = self.run.history
        for stored in self.run.store.records():
            if history.has_ended(stored.number) or stored.number in own or stored.outcome == "waiting":
                continue
            history.add(stored)
            if stored.outcome not in UNFINISHED:
                self.promotion.learn(stored)

    def is_one_too_many(self, number: int, counted: int, running: int) -> bool:
        """Whether the trial of this number exceeds the cap on trials, because others began trials at the same time."""
        most, before = self.run.config.trials, self.trials.before(number)
        return most is not None and before > 0 and counted + running + before >= most
