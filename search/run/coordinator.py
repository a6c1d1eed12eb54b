"""The coordinator: asks, refuses, reuses, hands out, listens and tells, until the purse is empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.config.study import StudyFile
from search.proposals.ask import Asking, Drawn
from search.proposals.history import Past
from search.proposals.screening import Option, Sieve, Sifted
from search.run import tell
from search.run.active_trial import Entry
from search.run.admission import Opening
from search.run.bookkeeping import Known
from search.run.budget import Purse, charged
from search.run.jobs import Jobs
from search.run.paused import Paused
from search.run.peers import Company
from search.run.progress import Progress
from search.run.pruning import Judging
from search.run.recovery import interrupt, taken_over
from search.run.retries import clear
from search.storage.record import CURVE, RUNGS, SHARE, Record
from search.storage.store import Store
from search.workers.messages import Died, Event, Finished, Job, Row, Rung, Screened, Verdict
from search.workers.pool import Crew, Slot

TURN_SECONDS = 0.2  # how soon Ctrl-C, the purse and overdue children are noticed
HALT_SECONDS = 2.0  # in which a trial that is interrupted may write its checkpoint
CURVE_SECONDS = 5.0  # from one writing of a running trial's curve to the next
FRUITLESS = 500  # trials in a row that trained nothing: the space is used up, or the limits too tight


@dataclass
class Coordinator:
    """One run of a study.

    stop_asked: whether the person wants it to end.  sieve: there where it screens.  spares: gives the search what the
    finale turns out not to need, and says whether that was something.
    """

    file: StudyFile
    store: Store
    purse: Purse
    progress: Progress
    stop_asked: Callable[[], bool]
    past: Past
    asking: Asking
    sieve: Sieve | None = None
    spares: Callable[[], bool] = lambda: False
    crew: Crew = field(default_factory=lambda: Crew([]))
    running: dict[int, Entry] = field(default_factory=dict)
    parked: list[Entry] = field(default_factory=list)  # their network is being trained right now
    halted: list[Entry] = field(default_factory=list)  # interrupted in good order, and paid
    judging: Judging = field(init=False)
    paused: Paused = field(init=False)
    opening: Opening = field(init=False)
    known: Known = field(init=False)
    jobs: Jobs = field(init=False)
    company: Company = field(init=False)
    fruitless: int = 0

    def __post_init__(self) -> None:
        self.judging, self.paused = Judging(self.file), Paused(self.file, self.purse)
        self.opening = Opening(self.file, self.store, self.past, self.paused)
        self.known = Known(
            self.file, self.store, self.past, self.judging, self.paused, self.opening, self.sieve
        )
        self.jobs = Jobs(self.file, self.store, self.purse, self.past, self.paused, self.opening)
        self.company = Company(self.file, self.store, self.purse)
        self.known.catch_up()
        self.purse.refresh()

    def run(self, crew: Crew) -> str:
        """Run with these children until there is a reason to stop, and return it as a sentence."""
        self.crew = crew
        while True:
            reason = self.over()
            if self.stop_asked():
                self._halt()
            if reason is not None:
                return reason
            started = self._fill()
            for event in self.crew.wait(0.0 if started else TURN_SECONDS):
                self._heed(event)
            self._settle_parked()
            self._charge_by_the_clock()
            if self.company.is_overspent():
                self.crew.halt()

    def over(self) -> str | None:
        """Return why there is nothing left to do, or None where there is; then paused trials have ended, too."""
        reason = self.reason_to_stop()
        if reason is None or self.stop_asked():
            return reason
        if self.running or self._screening():
            return None
        self._look_around()
        reason = self.reason_to_stop()
        if reason is None or self._waits_for_others():
            return None
        if any(self._may_begin(entry) for entry in self.parked):
            return None
        if self._next_up() is not None or self.spares():
            return None
        for number in list(self.paused.entries):
            self._drop(number)
        return reason

    def reason_to_stop(self) -> str | None:
        """Return why no further trial shall be begun, or None where one may."""
        if self.stop_asked():
            return "stopped by hand"
        if self.purse.is_empty() or self.paused.is_late():
            return self.purse.why_empty()
        in_hand = len(self.running) + len(self.parked) + len(self.paused.entries) + self._screening()
        in_hand += len(self.company.others.in_hand)
        if self.file.trials is not None and self.known.counted + in_hand >= self.file.trials:
            return f"all {self.file.trials} trials were made"
        if self.fruitless >= FRUITLESS:
            return (
                f"{FRUITLESS} trials in a row were refused, or equal to earlier ones: "
                "the space is used up or the limits are too tight"
            )
        return None

    def adopt(self, numbers: Collection[int]) -> None:
        """Take in hand the trials that an earlier run left paused."""
        for trial in self.store.study.get_trials(deepcopy=False):
            if trial.number in numbers:
                handle, network, rested = taken_over(self.store, self.file, trial)
                self.paused.entries[trial.number] = Entry(
                    handle, network, dict(rested.rungs), rested=rested, paid=rested.seconds
                )
                self.purse.mine[trial.number] = rested.seconds
                self.paused.learn(rested)
                self.known.rested(rested)
                self.judging.learn(rested)
        self.purse.refresh()

    def give_up(self) -> None:
        """Call every trial in hand interrupted; its parameters come first when the study goes on.

        Paused ones stay as they are: the next run takes them in hand.
        """
        for entry in self.running.values():
            self.purse.settle(entry.trial)
        entries = [*self.running.values(), *self.parked, *self.halted]
        numbers = {entry.number for entry in entries}
        trials = self.store.study.get_trials(deepcopy=False)
        interrupt(self.store, [t for t in trials if t.number in numbers])
        self.running.clear()
        self.parked.clear()
        self.halted.clear()

    def _halt(self) -> None:
        """Give the trials in hand a moment to keep what they have come to."""
        self.crew.halt()
        until = time.monotonic() + HALT_SECONDS
        while self.crew.at_work() and (left := until - time.monotonic()) > 0:
            for event in self.crew.wait(min(left, TURN_SECONDS)):
                self._heed(event)
            self._charge_by_the_clock()

    # --- what to train next

    def _fill(self) -> bool:
        """Give a free slot a network, or refuse or reuse one. Whether there may be more to do at once."""
        free = self.crew.free()
        if free and (number := self._next_up()) is not None:
            self._promote(number, free[0])
            return True
        if not free:
            return False
        self._look_around()
        waiting = [entry for entry in self.parked if self._may_begin(entry)]
        is_full = self.reason_to_stop() is not None or len(self.parked) > 2 * len(self.crew.slots)
        if is_full and not waiting:
            return False
        entry = waiting[0] if waiting else self._proposal(free[0])
        if entry is None:
            return True
        if entry in self.parked:
            self.parked.remove(entry)
        return self._begins(entry, free[0])

    def _begins(self, entry: Entry, slot: Slot) -> bool:
        """Start a trial, unless what was to pay it is spent by now, or others were quicker: it is then tried when the
        study goes on, or has what they find."""
        self._look_around()
        if entry.network.digest in self.opening.trained or not self._may_begin(entry):
            self.parked.append(entry)
            return False
        self._start(entry, slot)
        return True

    def _may_begin(self, entry: Entry) -> bool:
        """Whether a trial in hand may be trained now."""
        if self.purse.is_empty() or self.paused.is_late() or self.stop_asked():
            return False
        is_too_many = self.company.is_one_too_many(entry.number, self.known.counted, len(self.running))
        return not (is_too_many or self._has_twin_running(entry))

    def _proposal(self, slot: Slot) -> Entry | None:
        """Ask for a network and begin its trial, or have the slot screen it first; None when it needs no training,
        or not now."""
        drawn = self.asking.draw(self.sieve.digests() if self.sieve else ())
        if self.sieve and drawn.trial is None and (network := self.opening.wanted(drawn)):
            self._screen(self.sieve, Option(drawn, network), slot)
            return None
        return self._begun(drawn)

    def _begun(self, drawn: Drawn, sifted: Sifted | None = None) -> Entry | None:
        """Begin the trial of what was drawn, and perhaps screened; None when it needs no training, or not now."""
        opened = self.opening.open(drawn, sifted)
        if sifted:
            self.purse.charge(opened.number, sifted.charged_seconds)
        if isinstance(opened, Record):
            self._fruitless(opened)
            return None
        if self._has_twin_running(opened):
            self.parked.append(opened)
            return None
        return opened

    def _screen(self, sieve: Sieve, first: Option, slot: Slot) -> None:
        """Let a slot measure the proxies of candidates; what it says begins the trial of one of them."""
        share = self.purse.share(slot.setup.device)
        number = sieve.gather(first, self.opening.wanted, share)
        networks = [option.network for option in sieve.batches[number].options]
        task = self.jobs.screening(number, networks, sieve.screen.proxies, slot.setup.device)
        self.crew.give(slot, task)

    def _screening(self) -> int:
        """How many trials will come of what is being screened."""
        return len(self.sieve.batches) if self.sieve else 0

    def _has_twin_running(self, entry: Entry) -> bool:
        digest = entry.network.digest
        is_mine = any(other.network.digest == digest for other in self.running.values())
        return is_mine or self.company.others.have(digest, entry.number)

    def _settle_parked(self) -> None:
        """End the parked entries whose twin has finished; those whose twin broke wait for a slot."""
        known = [(entry, self.opening.reused(entry)) for entry in self.parked]
        self.parked = [entry for entry, record in known if record is None]
        for _, record in known:
            if record is not None:
                self._fruitless(record)

    def _fruitless(self, record: Record) -> None:
        self.fruitless += 1
        self.known.remember(record)
        clear(self.store, record)
        self.progress.ended(record, self.purse.spent_seconds())

    def _start(self, entry: Entry, slot: Slot) -> None:
        if entry.rested is None:
            self.paused.enter(entry)
        job = self.jobs.job(entry, slot.setup.device)
        self.running[entry.number] = entry
        entry.curve_at = time.monotonic()  # one that is soon over is not written while it runs
        if self.store.shared:
            entry.trial.keep(SHARE, job.charged_share)
        self.purse.open(entry.number, entry.paid)
        self.crew.give(slot, job)
        self.progress.began(entry.number, entry.network.params, entry.network.macs)

    # --- what the children say

    def _heed(self, event: Event) -> None:
        match event:
            case Row(number, row):
                self.progress.epoch(number, row, self.file.recipe.epochs)
                self._follow(number, row)
            case Rung(number, epoch, scores):
                self._judge(number, epoch, scores)
            case Finished(number, report):
                self._finish(number, dict(report))
            case Screened(number, rows, seconds):
                self._screened(number, rows, seconds)
            case Died(number, _) if number < 0:
                assert self.sieve is not None
                self._screened(number, *self.sieve.lost(number))
            case Died(number, reason):
                entry = self.running.pop(number)
                self.purse.settle(entry.trial)
                record = tell.fail(entry.trial, "killed", reason, self.file.sampler)
                self._conclude(record)

    def _screened(self, number: int, rows: Sequence[Mapping[str, float] | None], seconds: float) -> None:
        """Begin the trial of the candidate that is chosen, which pays for the screening, on a slot that is free now."""
        assert self.sieve is not None
        sifted = self.sieve.chosen(number, rows, seconds)
        entry = self._begun(sifted.drawn, sifted)
        if entry is not None:
            self._begins(entry, self.crew.free()[0])

    def _finish(self, number: int, report: dict[str, Any]) -> None:
        entry = self.running.pop(number)
        self.purse.charge(number, charged(report))
        if report["outcome"] == "interrupted":
            self.purse.settle(entry.trial)
            self._pause(entry, report) if entry.is_pausing else self.halted.append(entry)
            return
        file, seconds = self.file, self.purse.mine[number]
        record = tell.finish(entry.trial, entry.network, report, file.objectives, file.sampler, seconds)
        self._conclude(record)

    def _conclude(self, record: Record) -> None:
        """Keep what a trained trial taught."""
        self.fruitless = 0
        self.known.remember(record)
        clear(self.store, record)
        self.progress.ended(record, self.purse.spent_seconds())

    def _pause(self, entry: Entry, report: dict[str, Any]) -> None:
        """Keep a trial that stopped at its rung for later; end those that have fallen too far behind for that."""
        number = entry.number
        entry.is_pausing, entry.paid = False, self.purse.mine[number]
        entry.rested = tell.pause(entry.trial, entry.network, report)
        self.fruitless = 0
        self.known.rested(entry.rested)
        self.paused.entries[number] = entry
        self.progress.paused(number)
        for behind in self.paused.fallen_behind(self.judging.climbs):
            self._drop(behind)

    def _next_up(self) -> int | None:
        """Return the paused trial that a free slot should go on with."""
        if self.purse.is_empty() or self.stop_asked():
            return None
        is_closing = not self.running and self.reason_to_stop() is not None
        return self.paused.next_up(self.judging.climbs, is_closing)

    def _promote(self, number: int, slot: Slot) -> None:
        """Go on with a paused trial from its checkpoint."""
        entry = self.paused.entries.pop(number)
        tell.go_on(entry.trial)
        self._start(entry, slot)

    def _drop(self, number: int) -> None:
        """End a paused trial with what it reached at its rung."""
        entry = self.paused.entries.pop(number)
        assert entry.rested is not None
        self._conclude(tell.drop(entry.trial, entry.rested))

    def _judge(self, number: int, epoch: int, scores: dict[str, float] | Any) -> None:
        """Keep what a trial reached at a rung, or at a point of its curve, and say whether it goes on."""
        entry = self.running[number]
        self.paused.epoch_seconds[number] = self._share(number) * scores["seconds"] / epoch
        value = self.judging.value(scores)
        earlier = {rung: score for rung, score in entry.rungs.items() if rung < epoch}
        entry.rungs = {**earlier, epoch: -self.judging.goal.cost(value)}
        self.judging.climbed(number, entry.rungs, entry.network.planned())
        is_over = epoch >= self.file.recipe.epochs  # nothing is saved by pruning what is trained
        stop = not is_over and self.judging.shall_stop(number, epoch)
        # Each writing costs: points of the curve between rungs are only looked at.
        if stop or is_over or epoch in self.file.rungs:
            entry.trial.keep(RUNGS, {str(rung): score for rung, score in entry.rungs.items()})
            if len(self.file.objectives) == 1:
                entry.trial.at(epoch, value)
        entry.is_pausing = not (stop or is_over) and self._shall_pause(entry, epoch)
        self.crew.answer(number, Verdict(stop, entry.is_pausing))

    def _shall_pause(self, entry: Entry, epoch: int) -> bool:
        others_run = len(self.running) > 1
        is_closing = not others_run and self.reason_to_stop() is not None
        return self.paused.shall_pause(entry, epoch, self.judging.climbs, is_closing)

    def _follow(self, number: int, row: Mapping[str, Any]) -> None:
        """Keep the curve of a trial that runs, now and then, for who looks on."""
        entry, value, now = self.running[number], self.judging.value(row), time.monotonic()
        if value is not None:  # finite
            entry.curve[row["epoch"]] = value
        if entry.curve and now - entry.curve_at >= CURVE_SECONDS:
            entry.curve_at = now
            entry.trial.keep(CURVE, {str(epoch): value for epoch, value in entry.curve.items()})

    def _share(self, number: int) -> float:
        job = self.crew.slot_of(number).job
        return job.charged_share if isinstance(job, Job) else 1.0

    # --- what others do, and what time costs

    def _look_around(self) -> None:
        """Learn what other searches have come to and have in hand, and take up what one of them left that is gone."""
        if left := self.company.left_paused():
            self.adopt(left)
        self.company.look(self.known, self.running)

    def _waits_for_others(self) -> bool:
        """Whether their trials, which the finale ranks with ours, are still trained or to be taken up, or the network
        of one of ours is."""
        others = self.company.others
        return bool(others.trained or others.left) or any(
            self._has_twin_running(entry) for entry in self.parked
        )

    def _charge_by_the_clock(self) -> None:
        for slot in self.crew.busy():
            if isinstance(slot.job, Job) and slot.is_ready and slot.job.number in self.running:
                entry = self.running[slot.job.number]
                seconds = entry.paid + slot.elapsed_seconds() * slot.job.charged_share
                self.purse.estimate(entry.trial, seconds)
        for entry in [*self.paused.entries.values(), *self.parked]:
            self.purse.sign(entry.trial)
        self.progress.tick(self.purse.spent_seconds())
