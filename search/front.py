"""The trials that no other trial beats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .objective import LEARNT, Objective, dominates
from .record import Record


def front(records: Iterable[Record], objectives: Sequence[Objective]) -> list[Record]:
    """Return the best trials: the Pareto front, or the one best for one objective. Best learnt value first.

    A network that was met twice is listed once, where it was trained; trials without values are left out.
    """
    trained = {r.digest or r.number: r for r in records if r.values is not None and r.reused is None}
    finished = list(trained.values())
    costs = {r.number: _costs(r, objectives) for r in finished}
    unbeaten: list[Record] = []
    for r in sorted(finished, key=lambda r: costs[r.number]):  # what beats a trial comes before it
        if not any(dominates(costs[other.number], costs[r.number]) for other in unbeaten):
            unbeaten.append(r)
    goal = next(i for i, objective in enumerate(objectives) if objective.name in LEARNT)
    # few valid images make many equal accuracies: the loss tells more of them apart
    ranked = sorted(unbeaten, key=lambda r: (costs[r.number][goal], r.metrics.get("loss", 0.0), r.number))
    return ranked[:1] if len(objectives) == 1 else ranked


def ranking(records: Iterable[Record], objectives: Sequence[Objective], most: int) -> list[Record]:
    """Return the best trials, each network once: the front, then the front of what is left, and so on."""
    left, found = list(records), list[Record]()
    while len(found) < most and (layer := front(left, objectives)):
        found += layer
        known = {r.digest or r.number for r in layer}
        left = [r for r in left if (r.digest or r.number) not in known]
    return found[:most]


def _costs(record: Record, objectives: Sequence[Objective]) -> tuple[float, ...]:
    assert record.values is not None
    return tuple(o.cost(value) for o, value in zip(objectives, record.values, strict=True))
