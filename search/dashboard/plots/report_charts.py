"""The charts of a study that need no script: those of its report."""

from __future__ import annotations

from search.dashboard.plots.learning_curves import share_axis
from search.dashboard.plots.plot import finite
from search.dashboard.plots.svg_chart import Chart, chart, overlaid
from search.dashboard.studies.snapshot import Snapshot

MOST_POINTS = 4_000  # newest networks that are drawn, beside the front


def front(snapshot: Snapshot, cost: str) -> Chart | None:
    """Return the learnt objective against a cost, the Pareto front as a line; retrained networks at their means."""
    every = finite(snapshot.against(cost))
    newest = {p.number for p in every[-MOST_POINTS:]}
    points = [p for p in every if p.is_front or p.number in newest]
    line = sorted((p.x, p.y) for p in points if p.is_front)
    goal = snapshot.goal.name
    return chart(f"{goal} against {cost}", cost, goal, points, _steps(line), scale=share_axis)


def progress(snapshot: Snapshot) -> Chart | None:
    """Return the best single score of the search so far against the device time."""
    corners = [(step.seconds, step.value) for step in snapshot.improvements]
    goal = snapshot.goal.name
    return overlaid(
        f"best single {goal} of the search so far", "seconds", goal, [_steps(corners)], share_axis
    )


def _steps(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a line that keeps each value until the next."""
    made = corners[:1]
    for x, y in corners[1:]:
        made += [(x, made[-1][1]), (x, y)]
    return made
