"""Others: what the other coordinators on a shared storage have in hand, as far as this one must reckon with it."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from search.config.study import StudyFile
from search.run.bookkeeping import Known
from search.run.budget import Purse
from search.run.ownership import is_abandoned, owner, sign_of
from search.run.recovery import recover
from search.storage.record import OWNER, PLAN, SHARE, record
from search.storage.seed_results import over_seeds
from search.storage.store import Store

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Others:
    """Numbers of the trials that others have in hand, the digests of their networks, and the devices they keep busy.

    trained: of which of them the training has begun.  left: those of one that is gone, until somebody takes them up.
    """

    in_hand: frozenset[int] = frozenset()
    digests: Mapping[int, str] = field(default_factory=dict)
    trained: frozenset[int] = frozenset()
    devices: float = 0.0
    left: frozenset[int] = frozenset()

    def have(self, digest: str, number: int) -> bool:
        """Whether a network is theirs to train, and not that of the trial of this number.

        Of two that come upon it at the same moment the lower number has it: each writes its trial before it looks.
        """
        return any(
            theirs == digest and (other < number or other in self.trained)
            for other, theirs in self.digests.items()
        )

    def but(self, over: Collection[int]) -> Others:
        """Return this without the trials that are over by now."""
        still = self.in_hand.difference(over)
        digests = {number: digest for number, digest in self.digests.items() if number in still}
        return replace(
            self, in_hand=still, digests=digests, trained=self.trained & still, left=self.left & still
        )

    def before(self, number: int) -> int:
        """Return how many trials they have in hand that began before the one of this number."""
        return sum(other < number for other in self.in_hand)


def others(store: Store) -> Others:
    """Look what others have in hand now; nobody but us works on an embedded study."""
    if not store.shared:
        return Others()
    trials = store.study.get_trials(deepcopy=False)
    theirs = [trial for trial in trials if _is_in_hand(trial)]
    left = frozenset(trial.number for trial in theirs if _is_gone(store, trial))
    active = [t for t in theirs if t.number not in left and record(t).outcome != "paused"]
    trained = [trial for trial in active if SHARE in trial.user_attrs]
    busy = dict.fromkeys(_alive(store, trials), 0.0)
    for trial in trained:
        busy[trial.user_attrs[OWNER]] = busy.get(trial.user_attrs[OWNER], 0.0) + trial.user_attrs[SHARE]
    return Others(
        in_hand=frozenset(trial.number for trial in theirs),
        digests={t.number: t.user_attrs[PLAN]["digest"] for t in active if PLAN in t.user_attrs},
        trained=frozenset(trial.number for trial in trained),
        devices=sum(max(1.0, share) for share in busy.values()),  # between two trials, too, they have one
        left=left,
    )


def _is_in_hand(trial: FrozenTrial) -> bool:
    return trial.state.name == "RUNNING" and trial.user_attrs.get(OWNER) != owner()


def _is_gone(store: Store, trial: FrozenTrial) -> bool:
    return is_abandoned(store, trial.user_attrs.get(OWNER), sign_of(trial))


def _alive(store: Store, trials: list[FrozenTrial]) -> list[str]:
    """The other coordinators that gave a sign of life, by a trial or in the finale, not long ago."""
    seen: dict[str, float] = {}
    for whose, at in _signs(store, trials):
        seen[whose] = max(at, seen.get(whose, 0.0))
    return [whose for whose, at in seen.items() if whose != owner() and not is_abandoned(store, whose, at)]


def _signs(store: Store, trials: list[FrozenTrial]) -> Iterator[tuple[str, float]]:
    for trial in trials:
        if OWNER in trial.user_attrs:
            yield trial.user_attrs[OWNER], sign_of(trial)
    for finale in over_seeds(store.study.user_attrs).values():
        for one in finale.seeds.values():
            if one.owner is not None:
                yield one.owner, one.seen_at or 0.0


LOOK_SECONDS = 5.0  # in which what others have spent of the purse is seen while trials run
RECOVER_SECONDS = 10.0  # in which the trials of one that was killed are taken up by the others


@dataclass
class Company:
    """What the others had in hand when it was last looked at, and when that was, by time.monotonic()."""

    file: StudyFile
    store: Store
    purse: Purse
    others: Others = field(default_factory=Others)
    spending_at: float = 0.0
    recovered_at: float = field(default_factory=time.monotonic)

    def left_paused(self) -> Collection[int]:
        """Take up, now and then, what one of them left that is gone; return those trials that wait at a rung."""
        if not self.store.shared or time.monotonic() - self.recovered_at < RECOVER_SECONDS:
            return ()
        self.recovered_at = time.monotonic()
        return recover(self.store, self.file).paused

    def look(self, known: Known, in_hand: Container[int]) -> None:
        """Learn what they have come to and have in hand. in_hand: the trials of this search."""
        if not self.store.shared:
            return
        found = others(self.store)
        known.catch_up(in_hand)
        self.others = found.but(known.numbers)  # a trial that ended between the two looks is counted once
        self.purse.other_devices = self.others.devices
        self.purse.refresh()

    def is_overspent(self) -> bool:
        """Whether all together have spent more than the budget, looked at now and then.

        The limits of trials know nothing of who joined after they began.
        """
        if not self.store.shared or time.monotonic() - self.spending_at < LOOK_SECONDS:
            return False
        self.spending_at = time.monotonic()
        self.purse.refresh()
        left = self.purse.left_seconds()
        return left is not None and left < 0

    def is_one_too_many(self, number: int, counted: int, running: int) -> bool:
        """Whether they began the last trials of the study in the moment in which the one of this number was begun."""
        most, before = self.file.trials, self.others.before(number)
        return most is not None and before > 0 and counted + running + before >= most
