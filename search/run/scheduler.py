"""The scheduler of the search: which trial a free slot gets next."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from search.proposals.ask import Suggestion, SuggestionSource
from search.proposals.screening import ScreenedSuggestion, Screener, ScreeningCandidate
from search.run.active_trial import ActiveTrial, ActiveTrials, State
from search.run.admission import Admission
from search.run.context import Context
from search.run.jobs import Jobs
from search.run.latency import latency_gate
from search.run.limits import Limits
from search.run.rungs import Rungs
from search.storage.record import SHARE, Record
from search.workers.messages import Screened
from search.workers.pool import Slot, WorkerPool


@dataclass
class Scheduler:
    """Starts the trials of one run."""

    run: Context
    active: ActiveTrials
    rungs: Rungs
    limits: Limits
    source: SuggestionSource
    reused: list[Record] = field(default_factory=list)  # ended without training, not yet concluded

    def __post_init__(self) -> None:
        self.admission = Admission(self.run, self.rungs.promotion, latency_gate(self.run))
        self.jobs = Jobs(self.run)

    def fill(self, pool: WorkerPool) -> bool:
        """Give a free slot a trial, or refuse or reuse a trial. Return whether to call this again at once."""
        free = pool.free()
        if free and (number := self.next_up()) is not None:
            self._start(self.rungs.resume(number), free[0], pool)
            return True
        if not free:
            return False
        self.update()
        waiting = [trial for trial in self.active.waiting() if self.limits.may_begin(trial)]
        is_full = len(self.active.waiting()) > 2 * len(pool.slots)
        if not waiting and (is_full or self.limits.reason_to_stop() is not None):
            return False
        trial = waiting[0] if waiting else self._propose(free[0], pool)
        return True if trial is None else self._begin(trial, free[0], pool)

    def next_up(self) -> int | None:
        """Return the paused trial that a free slot should resume."""
        if self.run.budget.is_empty() or self.run.stop_asked() or self.limits.is_reached():
            return None
        is_closing = not self.active.running() and self.limits.reason_to_stop() is not None
        return self.rungs.promotion.next_up(is_closing)

    def settle_waiting(self) -> None:
        """End the waiting trials whose twin has finished; those whose twin failed go on waiting for a slot."""
        for trial in self.active.waiting():
            record = self.admission.reused(trial)
            if record is not None:
                self.active.leave(trial.number)
                self.end_untrained(record)

    def screened(self, event: Screened, pool: WorkerPool) -> None:
        """Begin the trial of the candidate that the proxies choose, on a free slot."""
        assert self.limits.screener is not None
        screened = self.limits.screener.choose(event.number, event.rows, event.seconds)
        trial = self._admit(screened.suggestion, screened)
        if trial is not None:
            self._begin(trial, pool.free()[0], pool)

    def screening_died(self, number: int, pool: WorkerPool) -> None:
        """Begin the trial of a candidate whose worker died while it measured the proxies."""
        assert self.limits.screener is not None
        rows, seconds = self.limits.screener.unmeasured(number)
        self.screened(Screened(number, tuple(rows), seconds), pool)

    def is_decided(self) -> bool:
        """Whether a trial has reached the target of the study, here or, looked up at times, at another coordinator."""
        if self.run.config.until and self.limits.peers.is_due():
            self.update()
        return self.limits.is_reached()

    def update(self) -> None:
        """Read the trials of other coordinators, and take over those that a dead one left."""
        if paused := self.limits.peers.recovered_paused():
            self.rungs.adopt(paused)
        self.limits.peers.update(self.active.running())

    def take_reused(self) -> list[Record]:
        """Return the trials that ended without training since the last call."""
        records, self.reused = self.reused, []
        return records

    def _propose(self, slot: Slot, pool: WorkerPool) -> ActiveTrial | None:
        """Ask for a network and begin its trial, or let the slot screen the network first.

        Returns None where no trial is to be trained now.
        """
        suggestion = self.source.ask(self.limits.screener.digests() if self.limits.screener else ())
        if (
            self.limits.screener
            and suggestion.trial is None
            and not suggestion.is_reference
            and (network := self.admission.wanted(suggestion))
        ):
            self._screen(self.limits.screener, ScreeningCandidate(suggestion, network), slot, pool)
            return None
        return self._admit(suggestion)

    def _screen(self, screener: Screener, first: ScreeningCandidate, slot: Slot, pool: WorkerPool) -> None:
        """Let a slot measure the proxies of candidates; a trial of one of them begins with the result."""
        device = slot.setup.device
        number = screener.add_batch(first, self.admission.wanted, self.run.budget.share(device))
        networks = [candidate.network for candidate in screener.batches[number].candidates]
        pool.give(slot, self.jobs.screening(number, networks, screener.screen.proxies, device))

    def _admit(
        self, suggestion: Suggestion, screened: ScreenedSuggestion | None = None
    ) -> ActiveTrial | None:
        """Begin the trial of a suggestion, perhaps screened; None where the trial is not to be trained now."""
        admitted = self.admission.admit(suggestion, screened)
        if screened:
            self.run.budget.charge_screening(admitted.number, screened.charged_seconds)
        if isinstance(admitted, Record):
            self.end_untrained(admitted)
            return None
        if self.limits.has_running_twin(admitted):
            self.active.enter(admitted, State.WAITING)
            return None
        return admitted

    def _begin(self, trial: ActiveTrial, slot: Slot, pool: WorkerPool) -> bool:
        """Start a trial. Return False where it waits instead.

        A trial waits where the budget was spent meanwhile: it is retried when the study resumes. It also waits where
        another coordinator trains the same network: it then reuses that result.
        """
        self.update()
        is_trained = self.run.history.trained(trial.candidate.digest) is not None
        if is_trained or not self.limits.may_begin(trial):
            self.active.enter(trial, State.WAITING)
            return False
        self._start(trial, slot, pool)
        return True

    def _start(self, trial: ActiveTrial, slot: Slot, pool: WorkerPool) -> None:
        promotion = self.rungs.promotion
        if trial.paused_record is None:
            promotion.enter(trial)
        job = self.jobs.trial(trial, promotion.judged_epochs(trial), slot.setup.device)
        self.active.enter(trial, State.RUNNING)
        trial.curve_stored_at = time.monotonic()  # the curve of a short trial is not stored while it runs
        if self.run.store.shared:
            trial.live.set_attr(SHARE, job.charged_share)
        self.run.budget.start(trial, trial.paid_seconds, slot.setup.device, job.limit_seconds())
        pool.give(slot, job)
        self.run.progress.began(trial.number, trial.candidate.params, trial.candidate.macs)

    def end_untrained(self, record: Record) -> None:
        """Count a trial that ended without training; the coordinator concludes it."""
        self.limits.fruitless += 1
        self.reused.append(record)
