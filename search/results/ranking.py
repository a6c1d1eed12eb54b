"""The best trials: the Pareto front, and the results of the finale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from search.objective import Objective, dominates, learnt
from search.results.choice import Choice, choice
from search.storage.record import Record
from search.storage.seed_results import SeedResults

LEAST_SEEDS = 2  # of each network: the difference of two single trainings is mostly noise


def front(records: Iterable[Record], objectives: Sequence[Objective]) -> list[Record]:
    """Return the best trials: the Pareto front, or the one best for one objective. Best learnt value first.

    Where the finale has trained the best of the search anew, its networks come first, that of its choice before all.
    """
    ranked = _by_finale(as_found(records, objectives), objectives)
    return ranked[:1] if len(objectives) == 1 else ranked


def as_found(records: Iterable[Record], objectives: Sequence[Objective]) -> list[Record]:
    """Return trials by what the search found: all for one objective, else the Pareto front. Best learnt value first.

    A network that was met twice is listed once, where it was trained; trials without values are left out.
    """
    trained = {r.digest or r.number: r for r in records if r.values is not None and r.reused is None}
    finished = list(trained.values())
    costs = {r.number: _costs(r, objectives) for r in finished}
    if len(objectives) > 1:
        finished = _unbeaten(finished, costs)
    goal = objectives.index(learnt(objectives))
    # few valid images make many equal accuracies: the loss tells more of them apart
    return sorted(finished, key=lambda r: (costs[r.number][goal], r.metrics.get("loss", 0.0), r.number))


def _unbeaten(finished: Sequence[Record], costs: Mapping[int, tuple[float, ...]]) -> list[Record]:
    unbeaten: list[Record] = []
    for r in sorted(finished, key=lambda r: costs[r.number]):  # what beats a trial comes before it
        if not any(dominates(costs[other.number], costs[r.number]) for other in unbeaten):
            unbeaten.append(r)
    return unbeaten


def _by_finale(ranked: list[Record], objectives: Sequence[Objective]) -> list[Record]:
    """Put first what the finale compared, by the mean over the seeds that all of it was trained with.

    For one objective the smallest of the best comes before these; for several the front has smaller networks anyway.
    """
    found = _choice(ranked, objectives)
    if found is None:
        return ranked
    handed_out = [found.chosen] if len(objectives) == 1 else []
    first = {record.number: record for record in (*handed_out, *found.ranked)}
    return [*first.values(), *(record for record in ranked if record.number not in first)]


def finale_choice(records: Iterable[Record], objectives: Sequence[Objective]) -> Choice | None:
    """Return the choice of the finale; None where the search decides, or several objectives make a front."""
    return _choice(as_found(records, objectives), objectives) if len(objectives) == 1 else None


def _choice(ranked: Sequence[Record], objectives: Sequence[Objective]) -> Choice | None:
    compared, seeds = _compared(ranked)
    return choice(compared, seeds, learnt(objectives)) if compared else None


def _compared(ranked: Sequence[Record]) -> tuple[list[tuple[Record, SeedResults]], set[int | None]]:
    """Return the networks that the finale compared, and the seeds that all of them were trained with.

    The training of the search counts as one of the seeds. Nothing is compared before the best network of the search has
    been retrained, or has failed to: another network must not win by being the only one that was tried. Neither is
    anything compared by a single training of each. A network that failed with a seed is left out, unless all failed.
    """
    tried = [(r, r.finale) for r in ranked if r.finale and (r.finale.measured or r.finale.is_failed)]
    compared = [(r, finale) for r, finale in tried if not finale.is_failed]
    if not compared or tried[0][0] is not ranked[0]:
        return [], set()
    seeds = set.intersection(*(set(finale.compared) for _, finale in compared))
    return (compared, seeds) if len(seeds) >= LEAST_SEEDS else ([], set())


def is_decided_by_finale(records: Iterable[Record], objectives: Sequence[Objective]) -> bool:
    """Whether the finale, not the search, decides which network is the best."""
    return _choice(as_found(records, objectives), objectives) is not None


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
