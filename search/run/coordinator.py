"""The coordinator of the search: processes events of workers, ends trials, and decides when the search is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from search.run import tell
from search.run.active_trial import ActiveTrial, ActiveTrials, State
from search.run.context import Context
from search.run.loop import TURN_SECONDS
from search.run.recovery import interrupt
from search.run.retention import Retention
from search.run.retries import KILLED, clear
from search.run.rungs import Rungs
from search.run.scheduler import Scheduler
from search.storage.record import Record
from search.storage.trial_report import LIMIT, TrialReport
from search.workers.messages import Died, Event, Finished, Job, Measured, Row, Rung, Screened
from search.workers.pool import WorkerPool


@dataclass
class Coordinator:
    """The search of one run: the work of a `Loop`."""

    run: Context
    active: ActiveTrials
    rungs: Rungs
    scheduler: Scheduler
    retention: Retention
    # frees seconds reserved for the finale and not needed; returns whether any were freed
    release: Callable[[], bool]

    @property
    def trainings(self) -> Mapping[int, ActiveTrial]:
        return self.active.running()

    def over(self) -> str | None:
        """Return why the search is over, None where it is not; paused trials have then ended, too."""
        scheduler, limits = self.scheduler, self.scheduler.limits
        reason = limits.reason_to_stop()
        if reason is None or self.run.stop_asked():
            return reason
        if self.active.running() or limits.screenings():
            return None
        scheduler.update()
        reason = limits.reason_to_stop()
        if reason is None or limits.waits_for_peers():
            return None
        if any(limits.may_begin(trial) for trial in self.active.waiting()):
            return None
        if limits.is_reached():
            return reason  # paused trials stay paused: with another target the search goes on
        if scheduler.next_up() is not None or self.release():
            return None
        for number in list(self.active.paused()):
            self._conclude(self.rungs.drop(number))
        return reason

    def patience(self) -> float:
        """Return the seconds to wait for an event: a turn."""
        return TURN_SECONDS

    def fill(self, pool: WorkerPool) -> bool:
        filled = self.scheduler.fill(pool)
        self._conclude_untrained()
        return filled

    def handle(self, event: Event, pool: WorkerPool) -> None:
        """Process an event of a worker."""
        match event:
            case Measured(number, latency):
                self.scheduler.admission.learn(self.active[number], latency)
            case Row(number, row):
                self.run.progress.epoch(number, row, self.run.config.recipe.epochs)
                self.rungs.follow(number, row)
            case Rung(number):
                pool.answer(number, self.rungs.judge(event, _share(number, pool), self._is_last))
            case Finished(number, report):
                self._finish(self.active[number], report)
            case Screened():
                self.scheduler.screened(event, pool)
            case Died(number) if number < 0:
                self.scheduler.screening_died(number, pool)
            case Died(number):
                self._lose(self.active[number], event)
        self._conclude_untrained()

    def turn(self, pool: WorkerPool) -> None:
        """Settle waiting trials, store heartbeats of those not in training, halt all where the budget is overspent."""
        self.scheduler.settle_waiting()
        self._conclude_untrained()
        for trial in self.active.of(State.PAUSED, State.WAITING):
            trial.store_heartbeat()
        if self.run.budget.is_overdrawn() or self.scheduler.is_decided():
            pool.halt()

    def give_up(self) -> None:
        """End every trial but paused ones as interrupted; their retries come first when the study resumes."""
        for trial in self.active.running().values():
            self.run.budget.settle(trial.key)
        trials = self.active.of(State.RUNNING, State.WAITING, State.HALTED)
        numbers = {trial.number for trial in trials}
        stored = self.run.store.study.get_trials(deepcopy=False)
        interrupt(self.run.store, [trial for trial in stored if trial.number in numbers])
        for number in numbers:
            self.active.leave(number)

    def _lose(self, trial: ActiveTrial, died: Died) -> None:
        """Train a trial again whose worker died; it fails the second time, or where the worker hung.

        The first death says more about the machine than about the network, and one with its machine nothing about the
        network. Where the whole run is being ended, the trial was interrupted.
        """
        trial.paid_seconds = self.run.budget.charged.get(trial.key, 0.0)
        self.run.budget.settle(trial.key)
        if self.run.stop_asked():
            self.active.enter(trial, State.HALTED)
        elif died.hung or (trial.has_died and not died.by_machine):
            self.active.leave(trial.number)
            self._conclude(
                tell.fail(trial.live, KILLED, died.reason, self.run.config.sampler, trial.paid_seconds)
            )
        else:
            trial.was_lost, trial.is_pausing = True, False
            trial.has_died = trial.has_died or not died.by_machine
            self.active.enter(trial, State.WAITING)
            self.run.progress.said(
                f"trial {trial.number}: the worker died, {died.reason}; it is trained again"
            )

    def _finish(self, trial: ActiveTrial, trained: TrialReport) -> None:
        run, outcome = self.run, trained.report.outcome
        run.budget.charge(trial.key, trained.charge.device_seconds)
        run.budget.settle(trial.key)
        if outcome == "interrupted":
            if not trial.is_pausing:
                self.active.enter(trial, State.HALTED)
                return
            self.scheduler.limits.fruitless = 0
            for record in self.rungs.pause(trial, trained):
                self._conclude(record)
            return
        self.active.leave(trial.number)
        config, seconds = run.config, run.budget.charged[trial.key]
        if trained.report.kind == LIMIT and (limit := config.latency_limit):
            self.scheduler.end_untrained(
                tell.refuse_measured(trial.live, trial.candidate, trained, limit, config.sampler, seconds)
            )
            return
        record = tell.finish(trial.live, trial.candidate, trained, config.objectives, config.sampler, seconds)
        self._conclude(record)

    def _conclude(self, record: Record) -> None:
        """Record the end of a trial that was trained."""
        self.scheduler.limits.fruitless = 0
        self._record_end(record)

    def _conclude_untrained(self) -> None:
        """Record the end of the trials that ended without training."""
        for record in self.scheduler.take_reused():
            self._record_end(record)

    def _record_end(self, record: Record) -> None:
        self.run.history.add(record)
        clear(self.run.store, record)
        self.retention.sweep()
        self.run.progress.ended(record, self.run.budget.spent_seconds())

    def _is_last(self) -> bool:
        """Whether the running trial is the only one, and no other will begin."""
        return len(self.active.running()) <= 1 and self.scheduler.limits.reason_to_stop() is not None


def _share(number: int, pool: WorkerPool) -> float:
    job = pool.slot_of(number).job
    return job.charged_share if isinstance(job, Job) else 1.0
