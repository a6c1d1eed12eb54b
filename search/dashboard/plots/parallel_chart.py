"""Parallel coordinates: each network as a line over some genes to what it reached (Inselberg, 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from genome.domain import Domain
from search.dashboard.gene_analysis.answer_kinds import labels
from search.dashboard.plots.learning_curves import share_axis
from search.results.axis import label, ticks

if TYPE_CHECKING:
    import numpy as np

MOST_LINES = 400  # networks that are drawn: the best, and evenly of the others
APART, HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 150.0, 320.0, 40.0, 16.0, 60.0, 70.0  # pixels
SPREAD = 0.6  # of the room of an answer, over which its networks are spread


class Mark(NamedTuple):
    """A word beside an axis."""

    y: float
    text: str


class GeneAxis(NamedTuple):
    """An axis, in pixels."""

    x: float
    name: str
    marks: Sequence[Mark]


class NetworkLine(NamedTuple):
    """A network."""

    number: int  # of the trial
    points: str  # as SVG writes them
    is_top: bool


class ParallelChart(NamedTuple):
    """The chart. Lengths are in pixels."""

    axes: Sequence[GeneAxis]
    lines: Sequence[NetworkLine]  # the best last, so that they are above the others
    width: float
    height: float
    top: float
    bottom: float
    shown: int
    whole: int  # networks that could be drawn


def parallel_chart(
    holes: dict[str, Domain],
    codes: np.ndarray,
    values: np.ndarray,
    numbers: Sequence[int],
    is_top: np.ndarray,
    names: Sequence[str],
    goal: str,
) -> ParallelChart | None:
    """Return the chart of fully trained networks, None where there is none.

    codes, values, numbers: of the trials, the best first.  names: of the holes.  goal: of the last axis.
    """
    import numpy as np

    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return None
    chosen = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_LINES)).round().astype(int))]
    up = share_axis(goal, [float(value) for value in values[known]])
    room = HEIGHT - TOP - BOTTOM
    axes, heights = list[GeneAxis](), list[np.ndarray]()
    for place, name in enumerate(names):
        words = (*labels(holes[name]), "none")
        column = codes[chosen, list(holes).index(name)].astype(int) - 1
        column[column < 0] = len(words) - 1
        used = sorted(set(column.tolist()))
        step = room / len(used)
        where = np.array([used.index(one) for one in column])
        heights.append(HEIGHT - BOTTOM - (where + 0.5 + SPREAD * (_ranks(where) - 0.5)) * step)
        marks = [Mark(round(HEIGHT - BOTTOM - (i + 0.5) * step, 1), words[one]) for i, one in enumerate(used)]
        axes.append(GeneAxis(LEFT + place * APART, name, marks))
    last = LEFT + len(names) * APART
    axes.append(
        GeneAxis(
            last, goal, [Mark(_height(up.share(value), room), label(goal, value)) for value in ticks(up)]
        )
    )
    heights.append(np.array([_height(up.share(float(value)), room) for value in values[chosen]]))
    lines = [
        NetworkLine(
            numbers[trial],
            " ".join(f"{one.x:.0f},{ys[i]:.1f}" for one, ys in zip(axes, heights, strict=True)),
            bool(is_top[trial]),
        )
        for i, trial in enumerate(chosen)
    ]
    return ParallelChart(
        axes, lines[::-1], last + RIGHT, HEIGHT, TOP, HEIGHT - BOTTOM, len(chosen), len(known)
    )


def _height(share: float, room: float) -> float:
    return round(HEIGHT - BOTTOM - share * room, 1)


def _ranks(where: np.ndarray) -> np.ndarray:
    """The place of each network among those of the same answer, from 0 (the worst) to 1; the best come first."""
    import numpy as np

    made = np.full(len(where), 0.5)
    for one in set(where.tolist()):
        members = np.flatnonzero(where == one)
        if len(members) > 1:
            made[members] = np.linspace(1, 0, len(members))
    return made
