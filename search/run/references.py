"""The references of a run: each begins before what the sampler proposes, while their share of the budget lasts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import genome
from search.proposals.ask import Suggestion, SuggestionSource
from search.proposals.references import Reference
from search.run.context import Context
from search.samplers.base import ORIGIN
from search.storage.record import Record

SHARE = 0.1  # of the budget, for all references together


@dataclass
class ReferenceSuggestions:
    """Suggests the references of a study, one after another, and else what another source suggests."""

    run: Context
    source: SuggestionSource
    references: Sequence[Reference]
    takes_genomes: (
        bool  # whether trials without parameters do not disturb the source; those of Optuna need parameters
    )
    suggested: set[str] = field(default_factory=set)

    def ask(self, avoid: Collection[str] = ()) -> Suggestion:
        one = self._next()
        if one is None:
            return self.source.ask(avoid)
        self.suggested.add(one.name)
        if self.takes_genomes:
            return Suggestion(one.point, None, one.origin)
        answers = self.run.config.space.answers(one.point)
        self.run.store.study.enqueue_trial(answers, user_attrs={ORIGIN: one.origin.to_json()})
        return self.source.ask(avoid)

    def _next(self) -> Reference | None:
        """Return the reference that begins now: one at a time, so that the seconds of one tell those of the next."""
        records = [record for record in self.run.history.records() if record.is_reference]
        begun = self.suggested | {record.reference for record in records}
        ended = {record.reference for record in records if record.outcome != "running"}
        if begun - ended:
            return None
        left = (one for one in self.references if one.name not in begun)
        return next((one for one in left if self._can_pay(one, records)), None)

    def _can_pay(self, one: Reference, records: Sequence[Record]) -> bool:
        """Whether the references' share of the budget pays for a whole training, by the cost of those before."""
        left = seconds_left(self.run)
        trained = [record for record in records if record.epochs and record.macs and record.reused is None]
        if left is None:
            return True
        if not trained:  # one that was cut within its first epoch took the share
            return left > 0 and not any(record.search_seconds for record in records)
        operations = sum((record.macs or 0) * (record.epochs or 0) for record in trained)
        rate = sum(record.search_seconds for record in trained) / operations
        macs = genome.resolve(one.point.genome).macs
        return rate * macs * self.run.config.recipe.epochs <= left


def seconds_left(run: Context, number: int | None = None) -> float | None:
    """Return the device seconds that all references together may still be charged, None where there is no limit.

    number: a trial whose own seconds are not taken off.
    """
    total = run.budget.total_seconds
    if total is None:
        return None
    records = [one for one in run.history.records() if one.is_reference and one.number != number]
    return SHARE * total - sum(record.search_seconds for record in records)
