"""The queue of a study: networks that a person enqueues are trained before those that the sampler proposes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

import genome
from genome import Genome, GenomeError
from search.config.candidate import candidate, measured
from search.config.study import StudyConfig
from search.errors import StudyError
from search.proposals.ask import FIXED
from search.samplers.base import ORIGIN, Origin
from search.space.adapt import fitted
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.storage.record import point_attrs
from search.storage.study import Store
from search.storage.trial import enqueue_template

if TYPE_CHECKING:
    from search.space.space import Space

BY = "enqueued"  # origin of the genomes, in place of the name of a sampler
MOST_WAITING = 100  # trials in the queue


def fit(config: StudyConfig, space: Space, given: Genome, searched: Searched = NOTHING_SEARCHED) -> Point:
    """Return a genome as a point of the space.

    Where the study searches its recipe, the point has these values as far as they are in the space; the others are
    drawn evenly, the same for the same genome.

    Raises StudyError, one sentence, where it does not fit the space or exceeds a limit of the study.
    """
    found = fitted(space, given)
    if found.genome is None:
        raise StudyError(f"the genome does not fit the study's space: {found.complaint}")
    rng = Random(f"{config.seed}/{genome.dump(found.genome)}")
    point = Point(found.genome, space.recipes.completed(searched, rng))
    try:
        network = candidate(point, config.train)
    except GenomeError as error:
        raise StudyError(f"the network cannot be built: {error}") from None
    if exceeded := [str(one) for one in measured(network, config) if one.over > 0]:
        raise StudyError(f"the network is over the study's limits: {'; '.join(exceeded)}")
    return point


def enqueue(store: Store, space: Space, made: Point, how: str, parents: Sequence[int] = ()) -> int:
    """Put a point of the space into the queue, in one transaction, and return the number of its trial.

    how: the origin of the genome, in a word. parents: the trials from whose genomes it was made. Raises StudyError
    where too many trials wait already.
    """
    from optuna.trial import TrialState, create_trial

    waiting = store.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if len(waiting) >= MOST_WAITING:
        raise StudyError(f"{len(waiting)} trials wait already; let the study train some of them first")
    origin = Origin(BY, tuple(parents), (how,))
    template = create_trial(
        state=TrialState.WAITING,
        user_attrs={**point_attrs(made), ORIGIN: origin.to_json()},
        system_attrs={FIXED: space.answers(made)},
    )
    return enqueue_template(store.study, template)
