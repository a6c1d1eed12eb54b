"""A study as it was at one moment. Every derived value is computed once, when it is first asked for."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from search.config.study import StudyConfig
from search.dashboard.studies.points import TrialPoint
from search.dashboard.studies.score import Score, by_score, score_of
from search.dashboard.studies.state import StudyState, study_state
from search.dashboard.studies.study_attrs import StudyAttrs
from search.dashboard.studies.trained_points import trained_points
from search.dashboard.studies.trial_view import TrialView
from search.objective import MAXIMIZE, MINIMIZE, Objective, learnt
from search.results.ranking import front
from search.results.statement import Statement, statement
from search.storage.ledger import Sums
from search.storage.record import Record

T = TypeVar("T")

_marks = itertools.count(time.time_ns())


class Improvement(NamedTuple):
    """The best value after some device seconds."""

    seconds: float  # spent by all trials until then
    value: float
    number: int  # of the trial that has the value


def by_end(trials: Iterable[TrialView]) -> list[TrialView]:
    """Return the trials that have ended, in the order of their ends."""
    ended = [trial for trial in trials if trial.ended is not None]
    return sorted(ended, key=lambda one: (one.ended, one.record.number))


@dataclass(frozen=True)
class Snapshot:
    """A study and its trials at one moment."""

    name: str
    config: StudyConfig
    trials: tuple[TrialView, ...]  # in the order of their numbers
    is_running: bool
    folder: Path | None  # holds the reports of the trials; None where the study's name is no folder's name
    attrs: StudyAttrs = field(default_factory=StudyAttrs)
    run_began: float | None = None  # unix seconds, where a lock tells
    sums: Sums = field(default_factory=lambda: Sums({}, ()))  # of its ledger
    # differs from the mark of every other snapshot, also of those of other servers
    mark: str = field(default_factory=lambda: f"{next(_marks):x}", compare=False)

    @cached_property
    def goal(self) -> Objective:
        """The objective that is learnt, such as accuracy."""
        return learnt(self.config.objectives)

    @property
    def cost(self) -> Objective:
        """The objective that the front is drawn against: the first one beside the goal, or params."""
        others = (o for o in self.config.objectives if o != self.goal)
        return next(others, Objective("params", MINIMIZE))

    @cached_property
    def by_number(self) -> Mapping[int, TrialView]:
        return {trial.record.number: trial for trial in self.trials}

    @cached_property
    def records(self) -> list[Record]:
        return [trial.record for trial in self.trials]

    @cached_property
    def best(self) -> list[Record]:
        """The trials that `genome best` lists."""
        return front(self.records, self.config.objectives)

    @cached_property
    def ranked(self) -> list[Record]:
        """The networks that were trained to their end, each once: that which is handed out, then by their scores."""
        handed_out = {r.number for r in self.best} if len(self.config.objectives) == 1 else set[int]()
        return sorted(by_score(self.records, self.goal), key=lambda r: r.number not in handed_out)

    @cached_property
    def spent_seconds(self) -> float:
        """Device seconds that the study has used."""
        return sum(r.seconds for r in self.records)

    @cached_property
    def statement(self) -> Statement:
        """What the study has spent, has reserved and has left."""
        return statement(self.config, self.records, self.sums, self.is_running)

    @cached_property
    def outcomes(self) -> Mapping[str, int]:
        """The number of trials of each outcome, the most frequent outcome first."""
        return dict(Counter(trial.outcome for trial in self.trials).most_common())

    @cached_property
    def ops(self) -> list[str]:
        """Every node type that some trial has."""
        return sorted(frozenset[str]().union(*(trial.ops for trial in self.trials)))

    @cached_property
    def children(self) -> Mapping[int, list[TrialView]]:
        """The children of each trial, by its number."""
        found: dict[int, list[TrialView]] = {}
        for trial in self.trials:
            for number in trial.parents:
                found.setdefault(number, []).append(trial)
        return found

    def once(self, make: Callable[[Snapshot], T]) -> T:
        """Return what a function makes of the study as it is here; it is made when it is first asked for."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    @cached_property
    def _made(self) -> dict[Callable[[Snapshot], Any], Any]:
        return {}

    def score(self, record: Record) -> Score | None:
        """Return what a network reached by the goal: the mean over its seeds, or its single score."""
        return score_of(record, self.goal.name)

    def learnt_so_far(self, record: Record) -> dict[int, float]:
        """Return what a training has reached by the goal after each epoch, as far as the storage has it."""
        turn = 1.0 if self.goal.direction == MAXIMIZE else -1.0  # scores at rungs are higher where better
        return {epoch: turn * score for epoch, score in record.rungs.items()} | dict(record.curve)

    def against(self, cost: str) -> tuple[TrialPoint, ...]:
        """Return the trained networks as points: their cost as x, their learnt value as y, the Pareto front marked.

        `cost` is an objective or seconds.
        """
        if cost not in self._points:
            is_more_better = Objective(cost, MAXIMIZE) in self.config.objectives
            along = Objective(cost, MAXIMIZE if is_more_better else MINIMIZE)
            self._points[cost] = trained_points(self.trials, along, self.goal)
        return self._points[cost]

    @cached_property
    def _points(self) -> dict[str, tuple[TrialPoint, ...]]:
        return {}

    @cached_property
    def improvements(self) -> tuple[Improvement, ...]:
        """The best value so far, each time it improved; the last element is the best value now."""
        goal, spent, found = self.goal, 0.0, list[Improvement]()
        for trial in by_end(self.trials):
            spent += trial.record.search_seconds
            value = trial.metric(goal.name) if trial.record.values is not None else None
            if value is not None and (not found or goal.cost(value) < goal.cost(found[-1].value)):
                found.append(Improvement(spent, value, trial.record.number))
        return (*found, found[-1]._replace(seconds=spent)) if found else ()

    @cached_property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for since the run began; without a lock, since the last trial began."""
        asked = self.attrs.stop_at
        if not self.is_running or asked is None:
            return False
        last = max((trial.began for trial in self.trials if trial.began), default=None)
        since = self.run_began or (last.timestamp() if last else 0.0)
        return asked > since

    @cached_property
    def starred(self) -> tuple[TrialView, ...]:
        return tuple(trial for trial in self.trials if trial.record.number in self.attrs.stars)

    @cached_property
    def state(self) -> StudyState:
        return study_state(self.config, self.records, self.is_running)

    @cached_property
    def began_at(self) -> datetime | None:
        return min((trial.began for trial in self.trials if trial.began), default=None)

    @cached_property
    def seen_at(self) -> datetime | None:
        """The time of the last sign of activity in the storage: a trial that began or ended, or a metered training."""
        moments = [moment for trial in self.trials for moment in (trial.began, trial.ended) if moment]
        signs = [trial.sign for trial in self.trials] + [line.seen_at for line in self.sums.lines]
        return max(moments + [datetime.fromtimestamp(sign) for sign in signs if sign], default=None)
