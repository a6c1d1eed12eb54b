"""The history of a study: one index of its trials by number, and what samplers, proxies and pruners read of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import genome
from genome import Genome
from search.config.candidate import Candidate
from search.objective import Objective, is_perfect, learnt, planned_values, values_of_exits
from search.pruners.rules import Climb
from search.samplers.base import Individual, Origin
from search.storage.record import UNFINISHED, Record

# Kinds of failure that are the fault of the network: the sampler learns from them, and duplicates reuse them.
OWN_FAULTS = frozenset({"not-finite", "out-of-memory", "batch-too-small"})


@dataclass
class Entry:
    """What is known of one trial; a field is None until it is known."""

    # as stored last, of a trial that has ended, is paused, or is another coordinator's
    record: Record | None = None
    # for samplers
    individual: Individual | None = None
    # for pruners
    climb: Climb | None = None
    # device seconds of an epoch
    epoch_seconds: float | None = None
    # in which the trial is judged, where the pruner pauses trials
    bracket: int | None = None


class History:
    """The trials of one study, by number."""

    def __init__(self, objectives: Sequence[Objective], epochs: int) -> None:
        self.objectives, self.epochs = objectives, epochs
        self.digests: set[str] = set()  # of every network that has a trial, and its recipe
        self.repeats = 0  # how many of the last networks in a row had a trial before
        self.counted = 0  # trials that count towards the cap of the study
        self.valued: list[
            Record
        ] = []  # trials that were trained to their end, in the order in which they came
        self._trials: dict[int, Entry] = {}
        self._trained: dict[str, Record] = {}  # by digest, the first trial whose result can be reused

    def __len__(self) -> int:
        return len(self.individuals())

    # --- writing

    def propose(self, digest: str) -> None:
        """Count the duplicate networks that are proposed in a row."""
        self.repeats = self.repeats + 1 if digest in self.digests else 0

    def begin(
        self,
        number: int,
        written: Genome,
        candidate: Candidate,
        origin: Origin | None,
    ) -> None:
        """Add a trial that has just begun."""
        self.digests.add(candidate.digest)
        self._of(number).individual = Individual(
            number,
            written,
            candidate.digest,
            is_running=True,
            origin=origin,
            searched=candidate.searched,
        )

    def add(self, record: Record) -> None:
        """Add a trial as the storage has it: it has ended, is paused, or is another coordinator's."""
        known = self._of(record.number)
        self.counted += record.is_counted - (known.record is not None and known.record.is_counted)
        known.record = record
        if record.values is not None:
            self.valued.append(record)
        if known.individual is not None or record.genome is not None:
            known.individual = self._individual(record, known.individual)
            if record.digest is not None:
                self.digests.add(record.digest)
        if record.digest is None:
            return
        if is_reusable(record, self.epochs):
            self._trained.setdefault(record.digest, record)
        if record.outcome != "interrupted" and record.rungs and record.params is not None:
            self.reach(record.number, record.rungs, _known(record), _end(record, self.objectives))

    def reach(
        self,
        number: int,
        rungs: Mapping[int, float],
        known: Mapping[str, float],
        end: float | None = None,
    ) -> None:
        """Store the scores of a trial at its rungs and its end (higher is better), and its other values."""
        costs = [o.cost(known.get(o.name, 0.0)) for o in self.objectives if not o.is_learnt]
        self._of(number).climb = Climb(dict(rungs), tuple(costs), math.log1p(known.get("macs", 0.0)), end)

    def time(self, number: int, epoch_seconds: float) -> None:
        """Store the device seconds of an epoch of a trial."""
        self._of(number).epoch_seconds = epoch_seconds

    def enter(self, number: int, bracket: int) -> None:
        """Store the bracket in which a trial is judged."""
        self._of(number).bracket = bracket

    # --- reading

    def has_ended(self, number: int) -> bool:
        record = self._trials[number].record if number in self._trials else None
        return record is not None and record.outcome not in UNFINISHED

    def ended(self) -> Container[int]:
        """Return the numbers of the trials that have ended."""
        return {number for number in self._trials if self.has_ended(number)}

    def trained(self, digest: str | None) -> Record | None:
        """Return the trial whose result a duplicate of this network can reuse, None where there is none yet."""
        return self._trained.get(digest) if digest is not None else None

    def digest(self, number: int) -> str | None:
        """Return the digest of a trial's network, None where it has none."""
        individual = self._trials[number].individual if number in self._trials else None
        return individual.digest if individual else None

    def individuals(self) -> list[Individual]:
        """Return the trials that have a genome, as samplers read them, by number."""
        found = [known.individual for known in self._trials.values() if known.individual is not None]
        return sorted(filter(_is_member, found), key=lambda individual: individual.number)

    def records(self) -> list[Record]:
        """Return the records of trials that have ended, are paused, or are other coordinators'."""
        return [known.record for known in self._trials.values() if known.record is not None]

    def climbs(self) -> dict[int, Climb]:
        """Return the scores of all trials at their rungs, by number; trials that have ended are included."""
        return {number: known.climb for number, known in self._trials.items() if known.climb is not None}

    def epoch_seconds(self) -> dict[int, float]:
        """Return the device seconds of an epoch, by trial."""
        return {
            n: known.epoch_seconds for n, known in self._trials.items() if known.epoch_seconds is not None
        }

    def brackets(self) -> Counter[int]:
        """Return how many trials are judged in each bracket."""
        return Counter(known.bracket for known in self._trials.values() if known.bracket is not None)

    def _of(self, number: int) -> Entry:
        return self._trials.setdefault(number, Entry())

    def _individual(self, record: Record, before: Individual | None) -> Individual:
        written = before.genome if before else genome.loads(record.genome or "")
        return Individual(
            record.number,
            written,
            record.digest or "",
            _costs(record, self.objectives),
            min(1.0, (record.epochs or 0) / self.epochs),
            record.violation,
            record.outcome in UNFINISHED and record.outcome != "paused",
            record.origin,
            record.search_seconds,
            self._path(record),
            self._goal,
            record.searched,
            record.params if is_perfect(record.values, self.objectives) else None,
        )

    @property
    def _goal(self) -> int:
        """The index of the objective by which trials are compared during training."""
        return next(i for i, objective in enumerate(self.objectives) if objective.is_learnt)

    def _path(self, record: Record) -> tuple[tuple[float, float], ...]:
        """Return the share of the epochs and the cost at each rung."""
        rungs = sorted(record.rungs.items()) if record.reused is None else ()
        return tuple((epoch / self.epochs, -score) for epoch, score in rungs)


def _is_member(individual: Individual) -> bool:
    """Whether the space of the study holds the network: a reference may lie outside."""
    return individual.origin is None or not individual.origin.is_outside


def is_reusable(record: Record, epochs: int) -> bool:
    """Whether duplicates of the network, trained for these epochs, can reuse the result of a trial.

    They cannot where the budget or a kill ended the trial, or where the trial itself reused a result.
    """
    if record.reused is not None or record.digest is None:
        return False
    if record.outcome == "failed":
        return record.kind in OWN_FAULTS
    if record.outcome == "cut" and record.kind == "purse":
        return False
    return record.outcome in ("done", "cut", "pruned") and record.planned_epochs == epochs


def _end(record: Record, objectives: Sequence[Objective]) -> float | None:
    """Return the score of a trial that was trained to the end, higher is better; None of another."""
    if record.outcome != "done" or record.values is None or record.reused is not None:
        return None
    goal = learnt(objectives)
    return -goal.cost(record.values[list(objectives).index(goal)])


def _known(record: Record) -> dict[str, float]:
    """Return the values of the objectives that no score of the training tells, those of exits as measured last."""
    measured = {} if record.latency is None else {"latency": record.latency.seconds}
    return {**planned_values(record), **measured, **values_of_exits(record.metrics)}


def _costs(record: Record, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """Return the costs of a trial, lower is better; those of a pruned or paused trial are from its last rung."""
    if record.values is not None:
        return tuple(o.cost(value) for o, value in zip(objectives, record.values, strict=True))
    if not record.rungs or record.outcome not in ("pruned", "paused"):
        return None
    planned = _known(record)
    first = learnt(objectives).name
    found = []
    for objective in objectives:
        value = planned.get(objective.name)
        if objective.name == first:
            found.append(-record.rungs[max(record.rungs)])
        elif value is not None:
            found.append(objective.cost(value))
        else:  # another value of the training, or one that was not measured
            return None
    return tuple(found)
