"""The search of a run, assembled from its parts: sampler, screener, pruner, scheduler, coordinator."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from search.config.study import StudyConfig
from search.objective import learnt
from search.proposals import warm_start
from search.proposals.ask import OptunaSuggestions, ProposerSuggestions, SuggestionSource
from search.proposals.custom_sampler import GuardedProposer
from search.proposals.history import History
from search.proposals.references import members, stored
from search.proposals.screening import Screener
from search.run.active_trial import ActiveTrials
from search.run.context import Context
from search.run.coordinator import Coordinator
from search.run.limits import Limits
from search.run.ownership import owner
from search.run.peers import Peers
from search.run.promotion import Promotion
from search.run.pruning import Pruning
from search.run.references import ReferenceSuggestions
from search.run.retention import Retention
from search.run.rungs import Rungs
from search.run.scheduler import Scheduler
from search.samplers import registry
from search.samplers.base import Proposer
from search.samplers.random_search import RandomSearch
from search.storage.study import Store

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def assembled(
    run: Context, sampler: BaseSampler | Proposer | None, release: Callable[[], bool]
) -> Coordinator:
    """Assemble the search of one run.

    sampler: a sampler object of the user, None for the sampler that the study names. release: frees seconds that are
    reserved for the finale and not needed.
    """
    config, store, history = run.config, run.store, run.history
    space = config.space
    warm_start.enqueue(store, space)
    source = _suggestion_source(config, sampler, store, history)
    proposes = isinstance(source, ProposerSuggestions)
    references = stored(store, config)
    first = ReferenceSuggestions(run, source, references if proposes else members(references), proposes)
    active = ActiveTrials()
    promotion = Promotion(config, run.budget, history, active)
    rungs = Rungs(run, active, Pruning(config, history), promotion)
    peers = Peers(run, promotion)
    peers.catch_up()
    run.budget.refresh()
    retention = Retention(run)
    retention.sweep()
    limits = Limits(run, active, promotion, peers, _screener(config, source))
    scheduler = Scheduler(run, active, rungs, limits, first)
    return Coordinator(run, active, rungs, scheduler, retention, release)


def _suggestion_source(
    config: StudyConfig, sampler: BaseSampler | Proposer | None, store: Store, history: History
) -> SuggestionSource:
    """Return the source of networks. Coordinators on one storage have different seeds, so their proposals differ."""
    space = config.space
    offset = zlib.crc32(owner().encode()) if store.shared else 0
    if sampler is None and registry.entry(config.sampler).proposes:
        seed, objectives = config.seed + offset, len(config.objectives)
        sampler = registry.proposer(config.sampler, space, seed, objectives, config.experience)
    elif isinstance(sampler, Proposer):
        asked = GuardedProposer(sampler, space, config.seed + offset)
        return ProposerSuggestions(store, space, asked, history, is_custom=True)
    if isinstance(sampler, Proposer):
        return ProposerSuggestions(store, space, sampler, history)
    is_custom = sampler is not None
    store.study.sampler = sampler or registry.optuna_sampler(
        config.sampler, config.seed, len(store.records()) + offset
    )
    return OptunaSuggestions(
        store,
        space,
        config.asks_all,
        history,
        RandomSearch(space, config.seed + offset),
        is_custom=is_custom,
    )


def _screener(config: StudyConfig, source: SuggestionSource) -> Screener | None:
    """Return the screener of a study, None where the study does not screen candidates."""
    if config.screen is None or not isinstance(source, ProposerSuggestions):
        return None
    return Screener(config.screen, learnt(config.objectives), source.history, source.propose)
