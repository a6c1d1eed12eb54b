"""Trials at their rungs: they are stopped, paused, resumed or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from search.objective import values_of_exits
from search.run import tell
from search.run.active_trial import ActiveTrial, ActiveTrials, State
from search.run.context import Context
from search.run.promotion import Promotion
from search.run.pruning import Pruning
from search.run.recovery import taken_over
from search.storage.record import CURVE, LOSSES, RUNGS, Record
from search.storage.trial_report import TrialReport
from search.workers.messages import Rung, Verdict

CURVE_SECONDS = 5.0  # from one writing of a running trial's learning curve to the next


@dataclass(frozen=True)
class Rungs:
    """The trials of one run at their rungs."""

    run: Context
    active: ActiveTrials
    pruning: Pruning
    promotion: Promotion

    def adopt(self, numbers: Collection[int]) -> None:
        """Take over paused trials of an earlier run or a dead coordinator."""
        store, config = self.run.store, self.run.config
        for stored in store.study.get_trials(deepcopy=False):
            if stored.number in numbers:
                live, candidate, paused_record = taken_over(store, config, stored)
                trial = ActiveTrial(
                    live,
                    candidate,
                    store,
                    dict(paused_record.rungs),
                    paused_record=paused_record,
                    paid_seconds=paused_record.seconds,
                )
                self.active.enter(trial, State.PAUSED)
                self.run.budget.charge(trial.key, paused_record.seconds)
                self.promotion.learn(paused_record)
                self.run.history.add(paused_record)
        self.run.budget.refresh()

    def judge(self, rung: Rung, share: float, is_last: Callable[[], bool]) -> Verdict:
        """Store the score of a trial at a rung, or at a point of its curve, and return the verdict.

        share: device seconds that one second of the trial costs. is_last: whether no other trial runs or will begin.
        """
        trial, config, history = self.active[rung.number], self.run.config, self.run.history
        epoch, scores = rung.epoch, rung.scores
        history.time(trial.number, share * scores["seconds"] / epoch)
        value = self.pruning.value(scores)
        is_new = epoch not in trial.rungs  # a trial whose worker died may climb from an earlier checkpoint
        earlier = {at: score for at, score in trial.rungs.items() if at < epoch}
        trial.rungs = {**earlier, epoch: -self.pruning.goal.cost(value)}
        history.reach(trial.number, trial.rungs, {**trial.known, **values_of_exits(scores)})
        is_over = epoch >= config.recipe.epochs  # pruning a fully trained trial saves nothing
        stop = not is_over and self.pruning.shall_stop(trial.number, epoch)
        # A write takes time: points of the curve between rungs are not stored.
        if stop or is_over or epoch in config.rungs:
            trial.live.set_attr(RUNGS, {str(at): score for at, score in trial.rungs.items()})
            if is_new and len(config.objectives) == 1:
                trial.live.report(epoch, value)
        trains_on = not (stop or is_over)
        trial.is_pausing = trains_on and self.promotion.shall_pause(trial, epoch, is_last())
        return Verdict(stop, trial.is_pausing)

    def follow(self, number: int, row: Mapping[str, Any]) -> None:
        """Store the learning curve of a running trial from time to time, for readers of the study."""
        trial, value, now = self.active[number], self.pruning.value(row), time.monotonic()
        if value is not None:  # finite
            trial.curve[row["epoch"]] = value
            trial.losses[row["epoch"]] = row["train_loss"], row["valid_loss"]
        if trial.curve and now - trial.curve_stored_at >= CURVE_SECONDS:
            trial.curve_stored_at = now
            trial.live.set_attr(CURVE, {str(epoch): value for epoch, value in trial.curve.items()})
            trial.live.set_attr(LOSSES, {str(epoch): pair for epoch, pair in trial.losses.items()})

    def pause(self, trial: ActiveTrial, report: TrialReport) -> list[Record]:
        """Store a trial that pauses at its rung, end paused trials that are too far behind, return their records."""
        trial.is_pausing, trial.paid_seconds = False, self.run.budget.charged[trial.key]
        trial.paused_record = tell.pause(trial.live, trial.candidate, report, trial.paid_seconds)
        self.run.history.add(trial.paused_record)
        self.active.enter(trial, State.PAUSED)
        self.run.progress.paused(trial.number)
        return [self.drop(number) for number in self.promotion.fallen_behind()]

    def resume(self, number: int) -> ActiveTrial:
        """Resume a paused trial from its checkpoint."""
        trial = self.active.leave(number)
        tell.resume(trial.live)
        return trial

    def drop(self, number: int) -> Record:
        """End a paused trial with its result at its rung, and return its record."""
        trial = self.active.leave(number)
        assert trial.paused_record is not None
        return tell.drop(trial.live, trial.paused_record)
