"""The queue of a study: networks that a person enqueues are trained before those that the sampler proposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import genome
from genome import Genome, GenomeError
from search.config.candidate import candidate, measured
from search.config.study import StudyConfig
from search.errors import StudyError
from search.proposals.ask import FIXED
from search.samplers.base import ORIGIN, Origin
from search.space.adapt import fitted
from search.storage.record import GENOME
from search.storage.study import Store
from search.storage.trial import enqueue_template

if TYPE_CHECKING:
    from search.space.space import Space

BY = "enqueued"  # origin of the genomes, in place of the name of a sampler
MOST_WAITING = 100  # trials in the queue


def fit(config: StudyConfig, space: Space, given: Genome) -> Genome:
    """Return a genome as a genome of the space.

    Raises StudyError, one sentence, where it does not fit the space or exceeds a limit of the study.
    """
    found = fitted(space, given)
    if found.genome is None:
        raise StudyError(f"the genome does not fit the study's space: {found.complaint}")
    try:
        network = candidate(found.genome, config.recipe.batch, config.recipe.optimizer)
    except GenomeError as error:
        raise StudyError(f"the network cannot be built: {error}") from None
    if exceeded := [str(one) for one in measured(network, config) if one.over > 0]:
        raise StudyError(f"the network is over the study's limits: {'; '.join(exceeded)}")
    return found.genome


def enqueue(store: Store, space: Space, made: Genome, how: str, parents: Sequence[int] = ()) -> int:
    """Put a genome of the space into the queue, in one transaction, and return the number of its trial.

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
        user_attrs={GENOME: genome.dump(made), ORIGIN: origin.to_json()},
        system_attrs={FIXED: space.encode(made)},
    )
    return enqueue_template(store.study, template)
