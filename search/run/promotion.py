"""Which trials pause at a rung with their checkpoint stored, and which paused trial a free slot resumes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from search.config.study import StudyConfig
from search.proposals.history import History
from search.pruners import registry
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
from search.pruners.rules import Climb
from search.run.active_trial import ActiveTrial, ActiveTrials
from search.run.budget import Budget
from search.storage.record import Record

MOST_PAUSED = 16  # at a rung: only the best of them can ever be resumed, and checkpoints fill disks


@dataclass(frozen=True)
class Promotion:
    """The pausing and resuming of one run; nothing pauses where the study's pruner does not pause trials."""

    config: StudyConfig
    budget: Budget
    history: History
    active: ActiveTrials

    @property
    def is_used(self) -> bool:
        return registry.entry(self.config.pruner).pauses

    def learn(self, record: Record) -> None:
        """Learn from a trial of an earlier run, or of another coordinator."""
        if not record.epochs or record.reused is not None:
            return
        if record.retry_of is None:
            self.history.time(record.number, record.search_seconds / record.epochs)
        if self.is_used:
            self.history.enter(record.number, bracket_of(self.config.rungs, record.rungs))

    def enter(self, trial: ActiveTrial) -> None:
        """Put a trial that begins into a bracket; a retry stays in the bracket of the trial that it retries."""
        if not self.is_used:
            return
        rungs, epochs = self.config.rungs, self.config.recipe.epochs
        has_brackets = registry.entry(self.config.pruner).has_brackets
        brackets = opened(rungs, epochs, self._affordable_epochs()) if has_brackets else 1
        if trial.rungs:
            trial.bracket = bracket_of(rungs, trial.rungs)
        else:
            begun = self.history.brackets()
            trial.bracket = next_bracket(rungs, epochs, [begun[b] for b in range(len(rungs) + 1)], brackets)
        self.history.enter(trial.number, trial.bracket)

    def judged_epochs(self, trial: ActiveTrial) -> tuple[int, ...]:
        """Return the epochs after which a trial is judged."""
        rungs, points = self.config.rungs, self.config.curve_points
        if not self.is_used:
            return tuple(sorted({*rungs, *points}))
        own = rungs[trial.bracket :]
        between = [epoch for epoch in points if epoch not in rungs and epoch > min(own, default=0)]
        return tuple(sorted({*own, *between}))

    def is_late(self) -> bool:
        """Whether too little of the budget is left to train one more network from the first epoch to the last."""
        left, known = self.budget.search_seconds(), self.history.epoch_seconds()
        if left is None or not self.is_used or not known:
            return False
        return self._slot_seconds(self.config.recipe.epochs * statistics.fmean(known.values())) > left

    def next_up(self, is_closing: bool, *more: int) -> int | None:
        """Return the paused trial that a free slot should resume, None where no trial may be promoted.

        is_closing: whether no other trial will begin. more: a trial that would pause.
        """
        if not self.is_used:
            return None
        climbs = self.history.climbs()
        paused = {*self.active.paused(), *more}
        if self.is_late():
            return self._last_up(climbs, paused)
        keeps = last_share if is_closing else top_share
        return next(self._candidates(climbs, paused, keeps), None)

    def shall_pause(self, trial: ActiveTrial, epoch: int, is_closing: bool) -> bool:
        """Whether a trial that reaches a rung frees its slot: another trial is the one to resume."""
        if not self.is_used or epoch not in self.config.rungs:
            return False
        return self.next_up(is_closing, trial.number) != trial.number

    def fallen_behind(self) -> list[int]:
        """Return the paused trials, by number, that stand behind too many others at their rung."""
        most = max(MOST_PAUSED, 2 * len(self.budget.devices))
        rungs, climbs, paused = self.config.rungs, self.history.climbs(), self.active.paused()
        behind: list[int] = []
        for bracket in range(len(rungs)):
            for rung in rungs[bracket:]:
                here = {n: climbs[n] for n in peers(rungs, climbs, bracket, rung) if n in paused}
                waiting = {n: climb for n, climb in here.items() if stands_at(rungs, climb) == rung}
                behind += ranked(waiting, rung)[most:] if len(waiting) > most else []
        return behind

    def twin(self, digest: str) -> Record | None:
        """Return a paused trial of the same network, as it was stored."""
        return next(
            (t.paused_record for t in self.active.paused().values() if t.candidate.digest == digest), None
        )

    def _last_up(self, climbs: Mapping[int, Climb], paused: Iterable[int]) -> int | None:
        """Return the best trial that can be trained to its end with the seconds left, else the best trial."""
        last = list(self._candidates(climbs, set(paused), everyone))
        left = self.budget.search_seconds() or 0.0
        # the finale uses the seconds left better than a trial that is not trained to its end
        nearest = last[0] if last and not self.budget.reserved_seconds else None
        return next((n for n in last if self._left_seconds(n, climbs[n]) <= left), nearest)

    def _candidates(self, climbs: Mapping[int, Climb], paused: set[int], keeps: Keeps) -> Iterator[int]:
        return candidates(self.config.rungs, climbs, paused, keeps)

    def _left_seconds(self, number: int, climb: Climb) -> float:
        """Return the seconds on a slot that a paused trial still needs."""
        known = self.history.epoch_seconds()
        epochs = self.config.recipe.epochs - stands_at(self.config.rungs, climb)
        return self._slot_seconds(epochs * known.get(number, statistics.fmean(known.values())))

    def _affordable_epochs(self) -> float:
        """Return how many epochs the whole budget pays, 0 while the cost of an epoch is unknown."""
        if self.budget.total_seconds is None:
            return math.inf
        known = self.history.epoch_seconds()
        seconds = self.budget.total_seconds - self.budget.reserved_seconds
        return seconds / statistics.fmean(known.values()) if known else 0.0

    def _slot_seconds(self, device_seconds: float) -> float:
        return device_seconds / self.budget.share(self.budget.devices[0])
