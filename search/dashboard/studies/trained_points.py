"""The trained networks of a study as points of a plot, the Pareto front among them marked."""

from __future__ import annotations

from collections.abc import Iterable

from search.dashboard.studies.points import TrialPoint, front_of
from search.dashboard.studies.score import score_of
from search.dashboard.studies.trial_view import TrialView, column_value
from search.objective import MAXIMIZE, Objective

WHOLE = ("done", "cut")  # outcomes of trials that were trained to their end


def trained_points(trials: Iterable[TrialView], cost: Objective, goal: Objective) -> tuple[TrialPoint, ...]:
    """Return a point for each trained network: its cost as x, its value of the goal as y."""
    made: list[TrialPoint] = []
    for trial in trials:
        x, reached = column_value(trial, cost.name), score_of(trial.record, goal.name)
        if x is not None and reached is not None and trial.record.reused is None:
            spread = reached.deviation, reached.seeds
            made.append(TrialPoint(x, reached.value, trial.record.number, trial.outcome, False, *spread))
    whole = [point for point in made if point.outcome in WHOLE]
    best = front_of(whole, cost.direction == MAXIMIZE, goal.direction == MAXIMIZE)
    numbers = {point.number for point in best}
    return tuple(point._replace(is_front=point.number in numbers) for point in made)
