"""Which moves paid off: how often the child of a move was better than the best of its parents."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from search.dashboard.gene_analysis.effects import Z
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trained_points import WHOLE
from search.dashboard.studies.trial_view import TrialView


class MoveResult(NamedTuple):
    """The children of one kind of move; a child of several moves counts for each of them."""

    move: str
    children: int
    pruned: int  # of these, before a comparison
    compared: int  # fully trained, as one of its parents
    better: int  # than its best parent
    # 95 % interval of the share that is better (Wilson 1927)
    low: float
    high: float
    change: float | None  # median of the learnt value of the child less that of its best parent
    records: int  # children that were the best so far


def move_results(snapshot: Snapshot) -> list[MoveResult]:
    """Return the results of each kind of move, that of which most is certain to be better first."""
    children: dict[str, list[TrialView]] = {}
    for trial in snapshot.trials:
        origin = trial.record.origin
        if origin is None or not trial.parents or trial.record.reused is not None:
            continue
        for word in dict.fromkeys(move.partition(" ")[0] for move in origin.moves):
            children.setdefault(word, []).append(trial)
    best = {step.number for step in snapshot.improvements}
    found = [_result(snapshot, word, made, best) for word, made in children.items()]
    return sorted(found, key=lambda one: (-one.low, -one.compared, one.move))


def _result(snapshot: Snapshot, word: str, made: Sequence[TrialView], best: set[int]) -> MoveResult:
    pairs = [
        (value, parent)
        for trial in made
        if (value := _value(snapshot, trial)) is not None and (parent := _parent(snapshot, trial)) is not None
    ]
    goal = snapshot.goal
    better = sum(goal.cost(value) < goal.cost(parent) for value, parent in pairs)
    low, high = wilson(better, len(pairs))
    return MoveResult(
        word,
        len(made),
        sum(trial.outcome == "pruned" for trial in made),
        len(pairs),
        better,
        low,
        high,
        statistics.median(value - parent for value, parent in pairs) if pairs else None,
        sum(trial.record.number in best for trial in made),
    )


def _value(snapshot: Snapshot, trial: TrialView) -> float | None:
    return trial.metric(snapshot.goal.name) if trial.outcome in WHOLE else None


def _parent(snapshot: Snapshot, trial: TrialView) -> float | None:
    """The value of the best fully trained parent."""
    parents = [snapshot.by_number[number] for number in trial.parents if number in snapshot.by_number]
    values = [value for one in parents if (value := _value(snapshot, one)) is not None]
    return min(values, key=snapshot.goal.cost, default=None)


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 22, 1927); everything where nothing is known."""
    if not whole:
        return 0.0, 1.0
    share, z2 = part / whole, Z * Z
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    room = Z / (1 + z2 / whole) * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return max(middle - room, 0.0), min(middle + room, 1.0)
