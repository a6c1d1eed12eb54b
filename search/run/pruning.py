"""Judging: what trials reached at their rungs, by number, and whether one of them should stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.config.study import StudyFile
from search.objective import MAXIMIZE, PLANNED, Objective, learnt
from search.pruners.curve_forecast import is_hopeless
from search.pruners.rules import Climb, should_stop
from search.storage.record import Record


@dataclass
class Judging:
    """The climbs of one study's trials, also of those that ended."""

    file: StudyFile
    climbs: dict[int, Climb] = field(default_factory=dict)

    @property
    def goal(self) -> Objective:
        """The objective that trials are compared by while they are trained."""
        return learnt(self.file.objectives)

    def value(self, scores: Mapping[str, float]) -> float:
        """Return what a trial has of the goal, from the scores of an epoch."""
        return scores["valid_accuracy" if self.goal.direction == MAXIMIZE else "valid_loss"]

    def learn(self, record: Record) -> None:
        """Take in a trial as the storage has it."""
        if record.rungs and record.params is not None:
            planned = {"params": record.params, "macs": record.macs or 0, "memory": record.memory_bytes or 0}
            self.climbed(record.number, record.rungs, planned)

    def climbed(self, number: int, rungs: Mapping[int, float], planned: Mapping[str, float]) -> None:
        """Take in what a trial reached at its rungs (higher is better), and its costs known before training."""
        costs = [o.cost(planned[o.name]) for o in self.file.objectives if o.name in PLANNED]
        self.climbs[number] = Climb(rungs, tuple(costs))

    def shall_stop(self, number: int, epoch: int) -> bool:
        """Whether a trial that stands so far behind others, or whose curve leads nowhere, ends at this epoch."""
        file, me = self.file, self.climbs[number]
        others = [climb for other, climb in self.climbs.items() if other != number]
        if epoch in file.rungs and should_stop(file.pruner, epoch, me, others):
            return True
        ceiling = 1.0 if self.goal.direction == MAXIMIZE else 0.0
        return epoch in file.curve_points and is_hopeless(epoch, file.recipe.epochs, me, others, ceiling)
