"""Paused: the trials that wait at a rung with their checkpoint kept, and which of them goes on when a slot is free."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.config.study import StudyFile
from search.pruners.brackets import bracket_of, next_bracket, opened
from search.pruners.promotion import (
    Keeps,
    candidates,
    everyone,
    last_share,
    peers,
    ranked,
    stands_at,
    top_share,
)
from search.pruners.rules import PAUSING, Climb
from search.run.budget import Purse
from search.storage.record import Record

if TYPE_CHECKING:
    from search.run.active_trial import Entry

MOST_PAUSED = 16  # at a rung: only the next ones in its order can ever go on, and checkpoints fill disks


@dataclass
class Paused:
    """What one coordinator knows of pausing; nothing ever pauses where the study's rule is another.

    begun: trials of each bracket.  epoch_seconds: device seconds of an epoch, by trial.
    """

    file: StudyFile
    purse: Purse
    entries: dict[int, Entry] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)
    epoch_seconds: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begun = [0] * (len(self.file.rungs) + 1)

    @property
    def is_used(self) -> bool:
        return self.file.pruner in PAUSING

    def learn(self, record: Record) -> None:
        """Take in a trial of an earlier run, or of another coordinator."""
        if record.epochs and record.reused is None and record.retry_of is None:
            self.epoch_seconds[record.number] = record.search_seconds / record.epochs
        if self.is_used and record.epochs and record.reused is None:
            self.begun[bracket_of(self.file.rungs, record.rungs)] += 1

    def enter(self, entry: Entry) -> None:
        """Put a trial that begins into a bracket; one that repeats another stays in that one's."""
        if not self.is_used:
            return
        rungs, epochs = self.file.rungs, self.file.recipe.epochs
        brackets = 1 if self.file.pruner == "asha" else opened(rungs, epochs, self._affordable_epochs())
        entry.bracket = (
            bracket_of(rungs, entry.rungs)
            if entry.rungs
            else next_bracket(rungs, epochs, self.begun, brackets)
        )
        self.begun[entry.bracket] += 1

    def asked_at(self, entry: Entry) -> tuple[int, ...]:
        """Return the epochs after which a trial is judged."""
        rungs = self.file.rungs
        if not self.is_used:
            return tuple(sorted({*rungs, *self.file.curve_points}))
        mine = rungs[entry.bracket :]
        between = [
            epoch for epoch in self.file.curve_points if epoch not in rungs and epoch > min(mine, default=0)
        ]
        return tuple(sorted({*mine, *between}))

    def is_late(self) -> bool:
        """Whether too little is left of the purse to train one more network from the first epoch to the last."""
        left = self.purse.search_seconds()
        if left is None or not self.is_used or not self.epoch_seconds:
            return False
        return self._slot_seconds(self.file.recipe.epochs * self._mean_epoch_seconds()) > left

    def next_up(self, climbs: Mapping[int, Climb], is_closing: bool, *more: int) -> int | None:
        """Return the paused trial that a free slot should go on with, None where none of them has earned it.

        is_closing: whether no other trial will come.  more: one that would pause.
        """
        if not self.is_used:
            return None
        paused = {*self.entries, *more}
        if self.is_late():
            return self._last_up(climbs, paused)
        keeps = last_share if is_closing else top_share
        return next(self._candidates(climbs, paused, keeps), None)

    def shall_pause(self, entry: Entry, epoch: int, climbs: Mapping[int, Climb], is_closing: bool) -> bool:
        """Whether a trial that arrives at a rung makes room: it is not the one to go on with."""
        if not self.is_used or epoch not in self.file.rungs:
            return False
        number = entry.number
        return self.next_up(climbs, is_closing, number) != number

    def fallen_behind(self, climbs: Mapping[int, Climb]) -> list[int]:
        """Return the paused trials, by number, that too many at their rung stand before."""
        most = max(MOST_PAUSED, 2 * len(self.purse.places))
        behind: list[int] = []
        for bracket, first in enumerate(self.file.rungs):
            for rung in self.file.rungs[self.file.rungs.index(first) :]:
                here = {
                    n: climbs[n] for n in peers(self.file.rungs, climbs, bracket, rung) if n in self.entries
                }
                waiting = {n: c for n, c in here.items() if stands_at(self.file.rungs, c) == rung}
                behind += ranked(waiting, rung)[most:] if len(waiting) > most else []
        return behind

    def twin(self, digest: str) -> Record | None:
        """Return a paused trial of the same network."""
        return next((e.rested for e in self.entries.values() if e.network.digest == digest), None)

    def _last_up(self, climbs: Mapping[int, Climb], paused: Iterable[int]) -> int | None:
        """Return the best one that still comes to its end with what is left, else the one that comes nearest."""
        last = list(self._candidates(climbs, set(paused), everyone))
        left = self.purse.search_seconds() or 0.0
        nearest = (
            last[0] if last and not self.purse.kept_seconds else None
        )  # the finale makes more of what is left
        return next((n for n in last if self._left_seconds(n, climbs[n]) <= left), nearest)

    def _candidates(self, climbs: Mapping[int, Climb], paused: set[int], keeps: Keeps) -> Iterator[int]:
        return candidates(self.file.rungs, climbs, paused, keeps)

    def _left_seconds(self, number: int, climb: Climb) -> float:
        epochs = self.file.recipe.epochs - stands_at(self.file.rungs, climb)
        return self._slot_seconds(epochs * self.epoch_seconds.get(number, self._mean_epoch_seconds()))

    def _affordable_epochs(self) -> float:
        """Return how many epochs the whole purse pays; none while it is not known what one costs."""
        if self.purse.budget_seconds is None:
            return math.inf
        seconds = self.purse.budget_seconds - self.purse.kept_seconds
        return seconds / self._mean_epoch_seconds() if self.epoch_seconds else 0.0

    def _mean_epoch_seconds(self) -> float:
        return statistics.fmean(self.epoch_seconds.values())

    def _slot_seconds(self, device_seconds: float) -> float:
        return device_seconds / self.purse.share(self.purse.places[0])
