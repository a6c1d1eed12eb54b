"""The coordinator: asks, refuses, reuses, hands out, listens and tells, until the purse is empty."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import genome
from genome import GenomeError
from genome.domain import DomainError

from . import telling
from .asking import Asking, Drawn, begin
from .candidate import Candidate, candidate, measured
from .crew import Crew, Slot
from .lineage import ancestors, clear
from .messages import Died, Event, Finished, Job, Row, Rung, Verdict
from .objective import LEARNT, MAXIMIZE, PLANNED
from .past import Past
from .progress import Progress
from .pruning import Climb, should_stop
from .purse import Purse, charged
from .record import GENOME, OWNER, PLAN, RETRY_OF, RUNGS, UNFINISHED, Record
from .recovery import interrupt, owner
from .store import Store
from .study_file import StudyFile

if TYPE_CHECKING:
    import optuna


TURN_SECONDS = 0.2  # how soon Ctrl-C, the purse and overdue children are noticed
HALT_SECONDS = 2.0  # in which a trial that is interrupted may write its checkpoint
CHECKPOINT_SECONDS = 15.0  # of training that a kill costs at most
FRUITLESS = 500  # trials in a row that trained nothing: the space is used up, or the limits too tight


@dataclass
class Entry:
    """A trial in hand: Optuna's handle, its network, and how far it has climbed."""

    trial: optuna.Trial
    network: Candidate
    rungs: dict[int, float] = field(default_factory=dict)
    earlier: tuple[
        Record, ...
    ] = ()  # interrupted ones of the same network that it repeats, the nearest first


@dataclass
class Coordinator:
    """One run of a study. `stop_asked` says whether the person wants it to end."""

    file: StudyFile
    store: Store
    purse: Purse
    progress: Progress
    stop_asked: Callable[[], bool]
    past: Past
    asking: Asking
    crew: Crew = field(default_factory=lambda: Crew([]))
    running: dict[int, Entry] = field(default_factory=dict)
    parked: list[Entry] = field(default_factory=list)  # their network is being trained right now
    halted: list[Entry] = field(default_factory=list)  # interrupted in good order, and paid
    trained: dict[str, Record] = field(default_factory=dict)  # by digest, fit to be reused
    climbs: dict[int, Climb] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)  # trials that were taken into account
    told: int = 0  # trials that count towards the cap
    fruitless: int = 0

    def __post_init__(self) -> None:
        self._catch_up()

    def run(self, crew: Crew) -> str:
        """Run with these children until there is a reason to stop, and return it as a sentence."""
        self.crew = crew
        while True:
            reason = self.reason_to_stop()
            if self.stop_asked():
                self._halt()
            if reason is not None and (not self.running or self.stop_asked()):
                return reason
            started = reason is None and self._fill()
            for event in self.crew.wait(0.0 if started else TURN_SECONDS):
                self._heed(event)
            self._settle_parked()
            self._charge_by_the_clock()

    def reason_to_stop(self) -> str | None:
        """Return why no further trial shall be begun, or None where one may."""
        if self.stop_asked():
            return "stopped by hand"
        if self.purse.is_empty():
            return "the budget is spent"
        if (
            self.file.trials is not None
            and self.told + len(self.running) + len(self.parked) >= self.file.trials
        ):
            return f"all {self.file.trials} trials were made"
        if self.fruitless >= FRUITLESS:
            return (
                f"{FRUITLESS} trials in a row were refused, or equal to earlier ones: "
                "the space is used up or the limits are too tight"
            )
        return None

    def give_up(self) -> None:
        """Call every trial in hand interrupted; its parameters come first when the study goes on."""
        for entry in self.running.values():
            self.purse.settle(entry.trial)
        entries = [*self.running.values(), *self.parked, *self.halted]
        numbers = {entry.trial.number for entry in entries}
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
        waiting = [entry for entry in self.parked if not self._has_twin_running(entry)]
        if not free or (not waiting and len(self.parked) > 2 * len(self.crew.slots)):
            return False
        if self.store.shared:
            self._catch_up()
        entry = waiting[0] if waiting else self._proposal()
        if entry is None:
            return True
        if entry in self.parked:
            self.parked.remove(entry)
        if (
            self.purse.is_empty()
        ):  # spent by other slots while this one was drawn: tried when the budget grows
            self.parked.append(entry)
            return False
        self._start(entry, free[0])
        return True

    def _proposal(self) -> Entry | None:
        """Ask for a network and begin its trial; None when it needs no training, or not now."""
        drawn = self.asking.draw()
        attrs: dict[str, Any] = {OWNER: owner()} if self.store.shared else {}
        network, illegal = self._network(drawn)
        if network is None:
            if drawn.genome is not None:
                attrs[GENOME] = genome.dump(drawn.genome)
            trial = begin(self.store, drawn, attrs, self._felt({"legal": 1.0}))
            self._fruitless(telling.refuse(self.store.study, trial, "illegal", illegal))
            return None
        limits = measured(network, self.file)
        attrs |= {GENOME: network.text, PLAN: network.facts()}
        trial = begin(self.store, drawn, attrs, self._felt({one.limit: one.over for one in limits}))
        assert drawn.genome is not None
        if RETRY_OF not in trial.user_attrs:
            self.past.met(network.digest)
        self.past.begun(trial.number, drawn.genome, network, drawn.origin)
        exceeded = [excess for excess in limits if excess.over > 0]
        if exceeded:
            self._fruitless(telling.refuse(self.store.study, trial, "limit", "; ".join(map(str, exceeded))))
            return None
        entry = self._entry(trial, network)
        if self._is_reused(entry):
            return None
        if self._has_twin_running(entry):
            self.parked.append(entry)
            return None
        return entry

    def _network(self, drawn: Drawn) -> tuple[Candidate | None, str]:
        """Resolve what was drawn, or say why it is no network."""
        if drawn.genome is None:
            return None, drawn.error or "nothing was drawn"
        try:
            return candidate(drawn.genome, self.file.recipe.batch, self.file.recipe.optimizer), ""
        except (GenomeError, DomainError) as error:
            return None, str(error)

    def _felt(self, constraints: dict[str, float]) -> dict[str, float]:
        """The constraints that the sampler is told; CMA-ES would only warn that it cannot use them."""
        return {} if self.file.sampler == "cmaes" else constraints

    def _entry(self, trial: optuna.Trial, network: Candidate) -> Entry:
        """Take a trial in hand; what an interrupted one of the same network had come to is its own."""
        repeated = ancestors(self.store, trial.user_attrs.get(RETRY_OF))
        earlier = tuple(record for record in repeated if record.digest == network.digest)
        return Entry(trial, network, dict(earlier[0].rungs) if earlier else {}, earlier)

    def _is_reused(self, entry: Entry) -> bool:
        """End an entry whose network was trained before with what it reached then. Whether that was so."""
        twin = self.trained.get(entry.network.digest)
        if twin is None:
            return False
        self._fruitless(telling.reuse(self.store.study, entry.trial, twin, self.file.sampler))
        return True

    def _has_twin_running(self, entry: Entry) -> bool:
        return any(other.network.digest == entry.network.digest for other in self.running.values())

    def _settle_parked(self) -> None:
        """End the parked entries whose twin has finished; those whose twin broke wait for a slot."""
        self.parked = [entry for entry in self.parked if not self._is_reused(entry)]

    def _fruitless(self, record: Record) -> None:
        self.fruitless += 1
        self._remember(record)
        clear(self.store, record)
        self.progress.ended(record, self.purse.spent_seconds())

    def _start(self, entry: Entry, slot: Slot) -> None:
        share, most = self.purse.share(slot.setup.device), self.file.budget.per_trial
        if most is not None:  # in device seconds, as all that is charged; a job counts seconds on its slot
            most /= share
        job = Job(
            number=entry.trial.number,
            genome=entry.network.text,
            digest=entry.network.digest,
            recipe=self.file.recipe,
            rungs=self.file.budget.rungs,
            trial_seconds=most,
            left_seconds=self.purse.trial_seconds(),
            charged_share=share,
            memory_bytes=self.file.budget.memory,
            predicted_bytes=entry.network.train_memory_bytes,
            latency=any(objective.name == "latency" for objective in self.file.objectives),
            folder=str(self.store.trial_folder(entry.trial.number)),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            earlier=tuple(str(self.store.trial_folder(record.number)) for record in entry.earlier),
        )
        self.running[entry.trial.number] = entry
        self.purse.mine[entry.trial.number] = 0.0
        self.crew.give(slot, job)
        self.progress.began(entry.trial.number, entry.network.params, entry.network.macs)

    # --- what the children say

    def _heed(self, event: Event) -> None:
        match event:
            case Row(number, row):
                self.progress.epoch(number, row, self.file.recipe.epochs)
            case Rung(number, epoch, scores):
                self._judge(number, epoch, scores)
            case Finished(number, report):
                self._finish(number, dict(report))
            case Died(number, reason):
                entry = self.running.pop(number)
                self.purse.settle(entry.trial)
                record = telling.fail(self.store.study, entry.trial, "killed", reason, self.file.sampler)
                self._conclude(record)

    def _finish(self, number: int, report: dict[str, Any]) -> None:
        entry = self.running.pop(number)
        self.purse.settle(entry.trial, charged(report))
        if report["outcome"] == "interrupted":
            self.halted.append(entry)
            return
        file = self.file
        record = telling.finish(
            self.store.study, entry.trial, entry.network, report, file.objectives, file.sampler
        )
        self._conclude(record)

    def _conclude(self, record: Record) -> None:
        """Keep what a trained trial taught."""
        self.fruitless = 0
        self._remember(record)
        clear(self.store, record)
        self.progress.ended(record, self.purse.spent_seconds())

    def _judge(self, number: int, epoch: int, scores: dict[str, float] | Any) -> None:
        """Keep the value of a rung and say whether the trial goes on."""
        entry = self.running[number]
        goal = next(objective for objective in self.file.objectives if objective.name in LEARNT)
        value = scores["valid_accuracy" if goal.direction == MAXIMIZE else "valid_loss"]
        entry.rungs[epoch] = -goal.cost(value)
        entry.trial.set_user_attr(RUNGS, {str(rung): score for rung, score in entry.rungs.items()})
        if len(self.file.objectives) == 1:
            entry.trial.report(value, epoch)  # Optuna's own pages show it; it refuses several objectives
        me = Climb(entry.rungs, self._costs(entry.network.planned()))
        others = [climb for other, climb in self.climbs.items() if other != number]
        self.climbs[number] = me
        is_over = epoch >= self.file.recipe.epochs  # nothing is saved by pruning what is trained
        stop = not is_over and should_stop(self.file.pruner, epoch, me, others)
        self.crew.answer(number, Verdict(stop))

    # --- what is known

    def _catch_up(self) -> None:
        """Read what is new in the storage: all of it at first, other coordinators' trials later."""
        for record in self.store.records():
            if record.number in self.known or record.number in self.running:
                continue
            if record.outcome not in UNFINISHED:
                self._remember(record)
            elif record.outcome == "running":  # of another coordinator
                self.past.add(record)
        self.purse.refresh()

    def _remember(self, record: Record) -> None:
        self.known.add(record.number)
        self.past.add(record)
        self.told += record.is_counted
        if record.digest is None:
            return
        if telling.is_reusable(record, self.file.recipe.epochs):
            self.trained.setdefault(record.digest, record)
        if record.rungs and record.params is not None and record.outcome != "interrupted":
            planned = {"params": record.params, "macs": record.macs, "memory": record.memory_bytes}
            self.climbs[record.number] = Climb(record.rungs, self._costs(planned))

    def _costs(self, planned: Any) -> tuple[float, ...]:
        return tuple(o.cost(planned[o.name]) for o in self.file.objectives if o.name in PLANNED)

    def _charge_by_the_clock(self) -> None:
        for slot in self.crew.busy():
            assert slot.job is not None
            if slot.is_ready and slot.job.number in self.running:
                seconds = slot.elapsed_seconds() * slot.job.charged_share
                self.purse.estimate(self.running[slot.job.number].trial, seconds)
        self.progress.tick(self.purse.spent_seconds())
