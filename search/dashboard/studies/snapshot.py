"""A study as it was at one moment; what is worked out of it is worked out once."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from search.config.study import StudyFile
from search.dashboard.plots.svg_chart import TrialPoint, front_of
from search.dashboard.studies.study_attrs import StudyAttrs
from search.dashboard.studies.trial_query import column_value
from search.dashboard.studies.trial_view import TrialView
from search.objective import MAXIMIZE, MINIMIZE, Objective, learnt
from search.results.ranking import front
from search.run.budget import SMALLEST_SHARE
from search.storage.record import Record

MOST_POINTS = 10_000  # newest trials in the chart
WHOLE = ("done", "cut")  # trained to their end
_marks = itertools.count(time.time_ns())


class StudyState(NamedTuple):
    """running, finished or stopped, and why in a sentence."""

    word: str
    why: str


class Improvement(NamedTuple):
    """The best value after so many device seconds, and the trial that has it."""

    seconds: float
    value: float
    number: int


@dataclass(frozen=True)
class Snapshot:
    """A study and its trials by number. `folder` has their reports, None where its name is no name of a folder.

    mark: tells it from every other snapshot, those of other servers too.  run_began: unix seconds, where a lock tells.
    """

    name: str
    file: StudyFile
    trials: tuple[TrialView, ...]
    is_running: bool
    folder: Path | None
    attrs: StudyAttrs = field(default_factory=StudyAttrs)
    run_began: float | None = None
    mark: str = field(default_factory=lambda: f"{next(_marks):x}", compare=False)

    @property
    def goal(self) -> Objective:
        return learnt(self.file.objectives)

    @property
    def cost(self) -> Objective:
        """The objective that stands against what is learnt: the first other one, or params."""
        others = (o for o in self.file.objectives if o != self.goal)
        return next(others, Objective("params", MINIMIZE))

    @cached_property
    def by_number(self) -> Mapping[int, TrialView]:
        return {one.record.number: one for one in self.trials}

    @cached_property
    def records(self) -> list[Record]:
        return [one.record for one in self.trials]

    @cached_property
    def best(self) -> list[Record]:
        """What `genome best` lists."""
        return front(self.records, self.file.objectives)

    @cached_property
    def ranked(self) -> list[Record]:
        """The networks that were trained to their end by what they learnt, the best first, each once."""
        trained = {r.digest or r.number: r for r in self.records if r.values is not None and r.reused is None}
        known = [r for r in trained.values() if self.goal.name in r.metrics]
        cost = self.goal.cost
        return sorted(
            known, key=lambda r: (cost(r.metrics[self.goal.name]), r.metrics.get("loss", 0.0), r.number)
        )

    @cached_property
    def spent_seconds(self) -> float:
        return sum(r.seconds for r in self.records)

    @cached_property
    def outcomes(self) -> Mapping[str, int]:
        """How many trials ended how, the most frequent first."""
        return dict(Counter(one.outcome for one in self.trials).most_common())

    @cached_property
    def ops(self) -> list[str]:
        """Every node type that some trial has."""
        return sorted(frozenset[str]().union(*(one.ops for one in self.trials)))

    @cached_property
    def children(self) -> Mapping[int, list[TrialView]]:
        """The trials that came from each trial."""
        found: dict[int, list[TrialView]] = {}
        for one in self.trials:
            for number in one.parents:
                found.setdefault(number, []).append(one)
        return found

    def against(self, cost: str) -> tuple[TrialPoint, ...]:
        """The trained networks, what they cost across and what they learnt up, each once; their front is marked.

        cost: an objective, or seconds.
        """
        if cost not in self._points:
            self._points[cost] = self._against(cost)
        return self._points[cost]

    @cached_property
    def _points(self) -> dict[str, tuple[TrialPoint, ...]]:
        return {}

    def _against(self, cost: str) -> tuple[TrialPoint, ...]:
        goal, made = self.goal, list[TrialPoint]()
        for one in self.trials[-MOST_POINTS:]:
            x, y = column_value(one, cost), one.record.metrics.get(goal.name)
            if x is not None and y is not None and one.record.reused is None:
                made.append(TrialPoint(x, y, one.record.number, one.outcome))
        whole = [point for point in made if point.outcome in WHOLE]
        first = front_of(whole, Objective(cost, MAXIMIZE) in self.file.objectives, goal.direction == MAXIMIZE)
        numbers = {point.number for point in first}
        return tuple(point._replace(is_front=point.number in numbers) for point in made)

    @cached_property
    def improvements(self) -> tuple[Improvement, ...]:
        """The best value of the search so far, each time it became better; the last step is where it stands now."""
        spent, found = 0.0, list[Improvement]()
        measured = [one for one in self.trials if one.ended is not None]
        for one in sorted(measured, key=lambda one: (one.ended, one.record.number)):
            spent += one.record.search_seconds
            value = one.metric(self.goal.name) if one.record.values is not None else None
            if value is not None and (not found or self.goal.cost(value) < self.goal.cost(found[-1].value)):
                found.append(Improvement(spent, value, one.record.number))
        return (*found, found[-1]._replace(seconds=spent)) if found else ()

    @cached_property
    def is_stopping(self) -> bool:
        """Whether a stop was asked for since this run began; where no lock says when, since its last trial did."""
        asked = self.attrs.stop_at
        if not self.is_running or asked is None:
            return False
        last = max((one.began for one in self.trials if one.began), default=None)
        since = self.run_began or (last.timestamp() if last else 0.0)
        return asked > since

    @cached_property
    def starred(self) -> tuple[TrialView, ...]:
        return tuple(one for one in self.trials if one.record.number in self.attrs.stars)

    @cached_property
    def state(self) -> StudyState:
        if self.is_running:
            return StudyState("running", "it is being run")
        told = sum(r.is_counted for r in self.records)
        if self.file.trials is not None and told >= self.file.trials:
            return StudyState("finished", f"all {self.file.trials} trials were made")
        if self._is_spent():
            return StudyState("finished", "the budget is spent")
        return StudyState("stopped", "it was stopped before its end; `genome search` goes on with it")

    def _is_spent(self) -> bool:
        """Whether no further trial may be begun, as the purse sees it."""
        budget, finale = self.file.budget.device_time, self.file.finale
        if budget is None:
            return False
        held = sum(r.finale.seconds for r in self.records if r.finale)
        kept = max(finale.share * budget - held, 0.0) if finale else 0.0
        return budget - self.spent_seconds - kept < SMALLEST_SHARE * budget

    @cached_property
    def began_at(self) -> datetime | None:
        return min((one.began for one in self.trials if one.began), default=None)

    @cached_property
    def seen_at(self) -> datetime | None:
        """The last sign of life that the storage keeps."""
        moments = [moment for one in self.trials for moment in (one.began, one.ended) if moment]
        signs = [datetime.fromtimestamp(one.sign) for one in self.trials if one.sign is not None]
        return max(moments + signs, default=None)
