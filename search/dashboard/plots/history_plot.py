"""All trials of a study in the order in which they were tried, and the volume that their front dominates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search import formatting
from search.dashboard.plots.plot import Plot, Scale, Series, moment, score_scale, thinned, unit_of_time
from search.dashboard.studies.points import TrialPoint
from search.dashboard.studies.snapshot import Snapshot, by_end
from search.dashboard.studies.trial_query import Query
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.objective import Objective
from search.pareto import beaten_by, hypervolume
from search.results.axis import LOGARITHMIC

# colour and symbol of each outcome
MARKS = {
    "done": ("good", "circle"),
    "cut": ("warm", "square"),
    "pruned": ("muted", "triangle-up"),
    "reused": ("muted", "circle-open"),
    "running": ("cool", "star-triangle-up"),
    "paused": ("cool", "pentagon"),
    "interrupted": ("warm", "hourglass"),
    "failed": ("bad", "x-thin-open"),
    "refused": ("bad", "diamond-open"),
}
MOST_STEPS = 120  # of the hypervolume


def history(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return every trial by its number or by the moment of its end, its outcome as colour, and the best score so far.

    Trials without a score stand at the lower edge.
    """
    placed = [(x, trial) for trial in snapshot.trials if (x := _place(trial, query.over)) is not None]
    scores = {
        trial.record.number: score for _, trial in placed if (score := _score(snapshot, trial)) is not None
    }
    if not scores:
        return None
    goal = snapshot.goal
    worst = max(scores.values(), key=goal.cost)
    points = [
        TrialPoint(x, scores.get(trial.record.number, worst), trial.record.number, trial.outcome)
        for x, trial in placed
        if trial.outcome in MARKS
    ]
    line = _best(snapshot, points, scores)
    drawn = thinned(points, False, {p.number for p in line})
    is_time = query.over == "time"
    series = [
        _series(word, [p for p in drawn if p.outcome == word], is_time)
        for word in MARKS
        if any(p.outcome == word for p in drawn)
    ]
    xs = [moment(p.x) if is_time else p.x for p in line]
    best = Series(f"best single {goal.name} so far", "steps", "front", xs, [p.y for p in line])
    without = len(points) - sum(p.number in scores for p in points)
    edge = f"; {formatting.some(without, 'trial')} without a score at the edge" if without else ""
    few = f", {len(drawn):,} drawn" if len(drawn) < len(points) else ""
    return Plot(
        f"all trials over {'time' if is_time else 'their number'}",
        Scale("end of the trial", "date") if is_time else Scale("trial"),
        score_scale(goal, list(scores.values()), query.y),
        [*series, best],
        f"{len(points):,} trials{few}, each with its one score in the search{edge}",
        href=links.study(snapshot.name),
    )


def volume(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the hypervolume of the front so far against the device time; None for one objective.

    Each objective goes from the worst to the best value of any finished trial, 0 to 1; costs on a logarithmic scale.
    """
    objectives = snapshot.config.objectives
    if len(objectives) < 2:
        return None
    spent, found = 0.0, list[tuple[float, int, list[float]]]()
    for trial in by_end(snapshot.trials):
        spent += trial.record.search_seconds
        values = trial.record.values
        if values is not None and trial.record.reused is None:
            found.append((spent, trial.record.number, _costs(objectives, values)))
    costs = np.array([one for _, _, one in found]).reshape(len(found), len(objectives))
    is_known = np.isfinite(costs).all(1)
    if is_known.sum() < 2:
        return None
    low, high = costs[is_known].min(0), costs[is_known].max(0)
    shares = (costs - low) / np.where(high > low, high - low, 1.0)
    # the worst value itself dominates a little, so that a front of extremes has a volume
    corners = _volumes(shares, is_known, np.full(len(objectives), 1.01))
    unit, length = unit_of_time(spent)
    line = Series(
        "hypervolume",
        "steps",
        "cool",
        [*(found[i][0] / length for i, _ in corners), spent / length],
        [*(value for _, value in corners), corners[-1][1]],
    )
    names = ", ".join(f"{'log ' if one.name in LOGARITHMIC else ''}{one.name}" for one in objectives)
    return Plot(
        "hypervolume of the front so far",
        Scale(f"device time, {unit}"),
        Scale("hypervolume"),
        [line],
        f"share of the box from the worst to the best value of {names}, among {int(is_known.sum()):,} networks",
        href=links.study(snapshot.name),
    )


def _volumes(shares: np.ndarray, is_known: np.ndarray, reference: np.ndarray) -> list[tuple[int, float]]:
    """The hypervolume after each trial that changes the front, evenly thinned out where these are many."""
    front, changes = np.empty((0, shares.shape[1])), list[tuple[int, np.ndarray]]()
    for i, one in enumerate(shares):
        if not is_known[i] or (front <= one).all(1).any():
            continue
        every = np.vstack([front, one])
        front = every[beaten_by(every) == 0]
        changes.append((i, front))
    step = -(-len(changes) // MOST_STEPS)
    kept = [*changes[:-1:step], changes[-1]]
    whole = float(np.prod(reference))
    return [(i, hypervolume(one, reference) / whole) for i, one in kept]


def _costs(objectives: Sequence[Objective], values: Sequence[float]) -> list[float]:
    """The values of a trial as numbers of which lower is better."""
    return [
        one.cost(math.log(value) if one.name in LOGARITHMIC and value > 0 else value)
        for one, value in zip(objectives, values, strict=True)
    ]


def _place(trial: TrialView, over: str) -> float | None:
    if over == "number":
        return float(trial.record.number)
    return trial.ended.timestamp() if trial.ended else None


def _score(snapshot: Snapshot, trial: TrialView) -> float | None:
    """The score of a trial in the search; of one that has none yet, the last that is stored."""
    value = trial.metric(snapshot.goal.name)
    if value is None and (stored := snapshot.learnt_so_far(trial.record)):
        value = stored[max(stored)]
    return value if value is not None and math.isfinite(value) else None


def _best(snapshot: Snapshot, points: Sequence[TrialPoint], scores: dict[int, float]) -> list[TrialPoint]:
    """The trials that improved on all before them, and the last trial at the height of the last of these."""
    whole = {trial.record.number for trial in snapshot.trials if trial.record.values is not None}
    ordered, found = sorted(points, key=lambda p: (p.x, p.number)), list[TrialPoint]()
    cost = snapshot.goal.cost
    for p in ordered:
        if p.number in whole and p.number in scores and (not found or cost(p.y) < cost(found[-1].y)):
            found.append(p)
    return [*found, found[-1]._replace(x=ordered[-1].x)] if found else []


def _series(word: str, points: Sequence[TrialPoint], is_time: bool) -> Series:
    role, symbol = MARKS[word]
    xs: list[float | str] = [moment(p.x) if is_time else p.x for p in points]
    return Series(word, "points", role, xs, [p.y for p in points], [p.number for p in points], symbol=symbol)
