"""The plots of a study's page, as values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from search import formatting, objective
from search.dashboard.plots.curve_plot import curves
from search.dashboard.plots.fronts_plot import fronts
from search.dashboard.plots.history_plot import history, volume
from search.dashboard.plots.plot import (
    Plot,
    Scale,
    Series,
    finite,
    moment,
    score_scale,
    sparse,
    thinned,
    unit_of_time,
)
from search.dashboard.studies.points import TrialPoint
from search.dashboard.studies.snapshot import Snapshot, by_end
from search.dashboard.studies.trial_query import Query
from search.dashboard.web import links
from search.results.axis import LOGARITHMIC, WIDE

RETRAINED = "retrained"
SYMBOLS = {
    "done": "circle",
    "cut": "square",
    "pruned": "triangle-up",
    "other": "x-thin-open",
    RETRAINED: "hexagon2",
}
ROLES = {"done": "good", "cut": "warm", "pruned": "muted", "other": "bad", RETRAINED: "cool"}
RINGS = {"starred": "star-open", "picked": "circle-open"}


def front(snapshot: Snapshot, cost: str, scale: str = "", picked: Collection[int] = ()) -> Plot | None:
    """Return the learnt objective against a cost, with a line through the points of the Pareto front.

    A retrained network stands at its mean over the seeds. The best network and those that are starred or picked have
    marks of their own. scale: of the objective's axis, as `score_scale` takes it.
    """
    goal, points = snapshot.goal, finite(snapshot.against(cost))
    if not points:
        return None
    low, high = min(p.x for p in points), max(p.x for p in points)
    is_log = low > 0 and (cost in LOGARITHMIC or cost == "seconds") and high > WIDE / 3 * low
    best = {record.number for record in snapshot.best[:1]}
    marked = {"starred": snapshot.attrs.stars, "picked": frozenset(picked)}
    drawn = thinned(points, is_log, best.union(*marked.values()))
    groups: dict[str, list[TrialPoint]] = {}
    for p in drawn:
        word = RETRAINED if p.seeds > 1 else p.outcome if p.outcome in SYMBOLS else "other"
        groups.setdefault(word, []).append(p)
    line = sorted((p for p in drawn if p.is_front), key=lambda p: (p.x, p.y))
    rings = {name: [p for p in drawn if p.number in numbers] for name, numbers in marked.items()}
    winner = [p for p in drawn if p.number in best]
    series = [
        *(_points(word, groups[word], ROLES[word], SYMBOLS[word]) for word in SYMBOLS if word in groups),
        Series("the front of the chart", "steps", "front", *_columns(line), symbol="diamond"),
        *(_points(name, ones, "text", RINGS[name], 15) for name, ones in rings.items() if ones),
        *([_points(f"best: trial {winner[0].number}", winner, "front", "star", 16)] if winner else []),
    ]
    few = f", {len(drawn):,} drawn" if len(drawn) < len(points) else ""
    return Plot(
        f"{goal.name} against {cost}",
        Scale(cost, "log" if is_log else "number"),
        score_scale(goal, [p.y for p in drawn], scale),
        series,
        f"{len(points):,} trained networks{few}; {len(line)} on the front of the chart{_said_of_means(groups)}",
        href=links.study(snapshot.name),
    )


def _said_of_means(groups: Mapping[str, Sequence[TrialPoint]]) -> str:
    count = len(groups.get(RETRAINED, ()))
    return f"; {count} retrained, at their mean over seeds; all others have one score" if count else ""


def progress(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the best single score of the search so far against the device time spent."""
    improvements, goal = snapshot.improvements, snapshot.goal.name
    if not improvements:
        return None
    unit, length = unit_of_time(improvements[-1].seconds)
    line = Series(
        f"best single {goal}",
        "steps",
        "front",
        [step.seconds / length for step in improvements],
        [step.value for step in improvements],
        [step.number for step in improvements],
    )
    found = f"{objective.formatted(goal, improvements[-1].value)} by trial {improvements[-1].number}"
    note = f"{found}, found after {formatting.seconds(improvements[-2 if len(improvements) > 1 else -1].seconds)}"
    means = _best_means(snapshot, improvements[-1].seconds, length)
    across, up = (
        Scale(f"device time, {unit}"),
        score_scale(snapshot.goal, [*line.y, *(means.y if means else [])], query.y),
    )
    title = f"best {goal} of the search so far"
    drawn = [line, *([means] if means else [])]
    return Plot(title, across, up, drawn, note + _over_seeds(snapshot), href=links.study(snapshot.name))


def _best_means(snapshot: Snapshot, end: float, length: float) -> Series | None:
    """The best mean over seeds of the networks that were found by then, with a band of a deviation to each side.

    end: of the line, in seconds. length: of a unit of time, in seconds.
    """
    spent, steps = 0.0, list[tuple[float, float, float, int]]()
    for trial in by_end(snapshot.trials):
        spent += trial.record.search_seconds
        score = snapshot.score(trial.record)
        if score is None or score.deviation is None:
            continue
        if not steps or snapshot.goal.cost(score.value) < snapshot.goal.cost(steps[-1][1]):
            steps.append((spent, score.value, score.deviation, trial.record.number))
    if not steps:
        return None
    steps.append((max(end, steps[-1][0]), *steps[-1][1:]))
    xs, ys, deviations, numbers = zip(*steps, strict=True)
    return Series(
        f"best mean {snapshot.goal.name} over seeds, ± its deviation",
        "steps",
        "cool",
        [x / length for x in xs],
        ys,
        numbers,
        dash="dash",
        deviations=deviations,
    )


def _over_seeds(snapshot: Snapshot) -> str:
    """What the finale says beside the best single score, which is partly luck."""
    score = snapshot.score(snapshot.best[0]) if snapshot.best else None
    if score is None or score.deviation is None:
        return ""
    mean, name = objective.formatted(snapshot.goal.name, score.value), snapshot.best[0].number
    return f"; over {score.seeds} seeds the best is trial {name} with a mean of {mean}"


def budget(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the device time spent against the date, and the budget as a horizontal line."""
    ended = sorted((trial.ended, trial.record.search_seconds) for trial in snapshot.trials if trial.ended)
    if not ended or snapshot.began_at is None:
        return None
    whole = snapshot.config.budget.device_time
    unit, length = unit_of_time(whole or snapshot.spent_seconds)
    corners, spent = [(snapshot.began_at.timestamp(), 0.0)], 0.0
    for end, seconds in ended:
        spent += seconds
        corners.append((end.timestamp(), spent))
    # the finale and running trials are charged although they have not ended
    corners.append(((snapshot.seen_at or ended[-1][0]).timestamp(), snapshot.spent_seconds))
    drawn = sparse(corners)
    line = Series("spent", "line", "cool", [moment(at) for at, _ in drawn], [at / length for _, at in drawn])
    left = (
        f"{formatting.seconds(max(whole - snapshot.spent_seconds, 0.0))} left of {formatting.seconds(whole)}"
        if whole
        else ""
    )
    note = left or f"{formatting.seconds(snapshot.spent_seconds)} spent; there is no limit"
    level = (f"budget, {formatting.seconds(whole)}", whole / length) if whole else None
    return Plot(
        "device time spent", Scale("time", "date"), Scale(f"device time, {unit}"), [line], note, level
    )


PLOTS: Mapping[str, Callable[[Snapshot, Query], Plot | None]] = {
    "progress": progress,
    "budget": budget,
    "curves": curves,
    "fronts": fronts,
    "history": history,
    "volume": volume,
}


def _points(name: str, points: list[TrialPoint], role: str, symbol: str, size: int = 7) -> Series:
    spread = [p.deviation or 0.0 for p in points] if name == RETRAINED else []
    return Series(name, "points", role, *_columns(points), symbol=symbol, size=size, deviations=spread)


def _columns(points: list[TrialPoint]) -> tuple[list[float], list[float], list[int]]:
    return [p.x for p in points], [p.y for p in points], [p.number for p in points]
