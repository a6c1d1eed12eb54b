"""The Pareto front of each node type: what networks that have it reach at each cost."""

from __future__ import annotations

from search.dashboard.plots.plot import Plot, Scale, Series, finite, score_scale
from search.dashboard.studies.points import front_of
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trained_points import WHOLE
from search.dashboard.studies.trial_query import Query
from search.dashboard.web import links
from search.objective import MAXIMIZE, Objective
from search.results.axis import LOGARITHMIC

MOST = 8  # node types
LEAST = 3  # networks that have a type
COLOURS, DASHES = 5, ("solid", "dash", "dot")


def fronts(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the front of each of the most frequent node types that some networks lack, against the cost."""
    cost, goal = query.cost or snapshot.cost.name, snapshot.goal
    points = [p for p in finite(snapshot.against(cost)) if p.outcome in WHOLE]
    ops = {p.number: snapshot.by_number[p.number].ops for p in points}
    groups = {op: [p for p in points if op in ops[p.number]] for op in snapshot.ops}
    chosen = sorted(
        (op for op, own in groups.items() if LEAST <= len(own) < len(points)), key=lambda op: -len(groups[op])
    )[:MOST]
    if not chosen:
        return None
    rises = Objective(cost, MAXIMIZE) in snapshot.config.objectives, goal.direction == MAXIMIZE
    series = []
    for place, op in enumerate(chosen):
        line = front_of(groups[op], *rises)
        xs, ys, numbers = [p.x for p in line], [p.y for p in line], [p.number for p in line]
        dash = DASHES[place // COLOURS]
        series.append(
            Series(f"{op} ({len(groups[op])})", "steps", f"c{place % COLOURS}", xs, ys, numbers, dash=dash)
        )
    every = [p.x for p in points]
    is_log = min(every) > 0 and cost in LOGARITHMIC and max(every) > 3 * min(every)
    return Plot(
        f"front of each node type, {goal.name} against {cost}",
        Scale(cost, "log" if is_log else "number"),
        score_scale(goal, [y for one in series for y in one.y], query.y),
        series,
        f"the {len(chosen)} most frequent node types that some of {len(points):,} fully trained networks lack; "
        "in brackets how many have it",
        href=links.study(snapshot.name),
    )
