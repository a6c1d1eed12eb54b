"""Company: the other searches on a shared study, as one of them reckons with them; an embedded study has none."""

from __future__ import annotations

import time
from collections.abc import Collection, Container
from dataclasses import dataclass, field

from search.config.study import StudyFile
from search.run.bookkeeping import Known
from search.run.budget import Purse
from search.run.peers import Others, others
from search.run.recovery import recover
from search.storage.store import Store

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
