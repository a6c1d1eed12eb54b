"""What a network reached: the mean over its seeds where it was retrained, else the single score of its training."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import NamedTuple

from search import objective
from search.objective import Objective
from search.results.ranking import LEAST_SEEDS
from search.storage.record import Record


class Score(NamedTuple):
    """A score with its spread."""

    value: float
    deviation: float | None  # sample standard deviation over the seeds; None for a single score
    seeds: int  # trainings of which the value is the mean; 1 for a single score
    is_failed: bool = False  # whether a seed of the finale failed, so that there is no mean


def score_of(record: Record, name: str) -> Score | None:
    """Return what a network reached by a learnt objective, None where it has no value."""
    finale = record.finale
    if finale and not finale.is_failed:
        found = [getattr(one, name, None) for one in finale.compared.values()]
        values = [float(value) for value in found if value is not None]
        if len(values) >= LEAST_SEEDS and len(values) == len(found):
            return Score(statistics.fmean(values), statistics.stdev(values), len(values))
    value = record.metrics.get(name)
    return None if value is None else Score(value, None, 1, bool(finale and finale.is_failed))


def by_score(records: Iterable[Record], goal: Objective) -> list[Record]:
    """Return the networks that were trained to their end, each once: by means over seeds, then by single scores."""
    trained = {r.digest or r.number: r for r in records if r.values is not None and r.reused is None}
    scores = {r.number: score for r in trained.values() if (score := score_of(r, goal.name))}

    def place(record: Record) -> tuple[float, ...]:
        score, loss = scores[record.number], record.metrics.get("loss", 0.0)
        return score.seeds == 1, score.is_failed, goal.cost(score.value), loss, record.number

    return sorted((r for r in trained.values() if r.number in scores), key=place)


def scored(score: Score | None, name: str) -> str:
    """Return a score with its spread and the number of its seeds; a single score is called one."""
    if score is None:
        return "-"
    value = objective.formatted(name, score.value)
    if score.deviation is None:
        return f"{value} (one score{'; a seed failed' if score.is_failed else ''})"
    return f"{value} ± {objective.formatted(name, score.deviation)} ({score.seeds} seeds)"
