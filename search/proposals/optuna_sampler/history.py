"""Trials of any Optuna study as individuals, where their parameters are a genome of the space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

import genome
from search.samplers.base import ORIGIN, Individual, Origin
from search.space.point import digest_of
from search.space.space import Space

if TYPE_CHECKING:
    from optuna.study import Study


class History:
    """The trials of one study; each that is finished is read once."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._finished: dict[int, Individual] = {}  # by number

    def before(self, study: Study, trial: FrozenTrial) -> list[Individual]:
        """Return every other trial whose parameters are a genome of the space."""
        found = []
        for other in study.get_trials(deepcopy=False):
            if other.number == trial.number or other.state == TrialState.WAITING:
                continue
            one = self._finished.get(other.number) or _individual(self._space, study.directions, other)
            if other.state.is_finished() and one is not None:
                self._finished[other.number] = one
            if one is not None:
                found.append(one)
        return found


def _individual(space: Space, directions: Sequence[StudyDirection], trial: FrozenTrial) -> Individual | None:
    try:
        point = space.point(lambda name, _: trial.params[name])
    except (KeyError, ValueError):
        return None
    try:
        digest, legal = digest_of(genome.digest(genome.resolve(point.genome)), point.searched), True
    except ValueError:
        digest, legal = "", False
    stored = trial.user_attrs.get(ORIGIN)
    return Individual(
        trial.number,
        point.genome,
        digest,
        _costs(trial, directions),
        1.0 if trial.state == TrialState.COMPLETE else 0.5,
        sum(max(0.0, excess) for excess in trial.constraints.values()) + (not legal),
        not trial.state.is_finished(),
        Origin.of_json(stored) if stored else None,
        climb=_climb(trial, directions),
        searched=point.searched,
    )


def _climb(trial: FrozenTrial, directions: Sequence[StudyDirection]) -> tuple[tuple[float, float], ...]:
    """What was reported on the way, lower is better; nothing of several objectives."""
    sign = -1.0 if directions[0] == StudyDirection.MAXIMIZE else 1.0
    return tuple((float(step), sign * value) for step, value in sorted(trial.intermediate_values.items()))


def _costs(trial: FrozenTrial, directions: Sequence[StudyDirection]) -> tuple[float, ...] | None:
    """What was measured, lower is better; of a pruned trial of one objective what it reported last."""
    values = trial.values if trial.state == TrialState.COMPLETE else None
    if values is None and trial.state == TrialState.PRUNED and len(directions) == 1:
        last = trial.last_step
        values = None if last is None else [trial.intermediate_values[last]]
    if values is None:
        return None
    signs = [-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in directions]
    return tuple(sign * value for sign, value in zip(signs, values, strict=True))
