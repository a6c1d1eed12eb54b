"""Admission: a suggestion becomes a trial to train, or a trial that ends at once, refused or reused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genome import GenomeError
from genome.domain import DomainError
from search.config.candidate import Candidate, Excess, candidate, measured
from search.proposals.ask import Suggestion, start_trial
from search.proposals.latency_gate import LatencyExcess, LatencyGate
from search.proposals.screening import ScreenedSuggestion
from search.run import tell
from search.run.active_trial import ActiveTrial
from search.run.context import Context
from search.run.ownership import owner
from search.run.promotion import Promotion
from search.run.retries import ancestors
from search.samplers import registry
from search.storage.latency import MeasuredLatency
from search.storage.record import OWNER, PLAN, PROXIES, RETRY_OF, SEEN_AT, Record, point_attrs
from search.storage.trial import LiveTrial


@dataclass(frozen=True)
class Admission:
    """Begins the trials of one run."""

    run: Context
    promotion: Promotion
    gate: LatencyGate | None = None  # where latency has a limit

    def admit(
        self, suggestion: Suggestion, screened: ScreenedSuggestion | None = None
    ) -> ActiveTrial | Record:
        """Begin the trial of a suggestion, perhaps screened; return its record where the trial needs no training."""
        store = self.run.store
        attrs: dict[str, Any] = {OWNER: owner(), SEEN_AT: store.ledger.now()} if store.shared else {}
        if screened:
            attrs |= {PROXIES: screened.proxies}
        network, illegal = self._candidate(suggestion)
        if network is None:
            return self._refuse_illegal(suggestion, attrs, illegal)
        limits = self._limits(network)
        assert suggestion.point is not None
        attrs |= {**point_attrs(suggestion.point), PLAN: network.facts()}
        constraints = self._constraints({one.limit: one.over for one in limits})
        live = start_trial(self.run.store, suggestion, attrs, constraints)
        history = self.run.history
        if RETRY_OF not in live.attrs:
            history.propose(network.digest)
        history.begin(live.number, suggestion.point.genome, network, suggestion.origin)
        exceeded = [excess for excess in limits if excess.over > 0]
        if exceeded:
            return tell.refuse(live, "limit", "; ".join(map(str, exceeded)))
        trial = self._active(live, network)
        if screened:
            trial.paid_seconds = screened.charged_seconds
        return self.reused(trial) or trial

    def wanted(self, suggestion: Suggestion) -> Candidate | None:
        """Return the candidate of a suggestion, None where it exceeds a limit or has a trial already."""
        network, _ = self._candidate(suggestion)
        if network is None or network.digest in self.run.history.digests:
            return None
        return None if any(excess.over > 0 for excess in self._limits(network)) else network

    def learn(self, trial: ActiveTrial, latency: MeasuredLatency) -> None:
        """Store the latency that a worker has measured, and learn from it."""
        trial.store_latency(latency)
        if self.gate:
            self.gate.learn(trial.candidate, latency)

    def reused(self, trial: ActiveTrial) -> Record | None:
        """End a trial with the result of an earlier trial of its network; None where there is no such result."""
        digest = trial.candidate.digest
        twin = self.run.history.trained(digest) or self.promotion.twin(digest)
        return tell.reuse(trial.live, twin, self.run.config.sampler) if twin else None

    def _limits(self, network: Candidate) -> list[Excess | LatencyExcess]:
        """Return every limit with what the network has; a latency only where it is known or foretold to be over."""
        found: list[Excess | LatencyExcess] = list(measured(network, self.run.config))
        if self.gate and all(excess.over <= 0 for excess in found) and (excess := self.gate.excess(network)):
            found.append(excess)
        return found

    def _candidate(self, suggestion: Suggestion) -> tuple[Candidate | None, str]:
        """Resolve a suggestion, or return why it is no network."""
        if suggestion.point is None:
            return None, suggestion.error or "nothing was proposed"
        try:
            return candidate(suggestion.point, self.run.config.train), ""
        except (GenomeError, DomainError) as error:
            return None, str(error)

    def _refuse_illegal(self, suggestion: Suggestion, attrs: dict[str, Any], reason: str) -> Record:
        if suggestion.point is not None:
            attrs |= point_attrs(suggestion.point)
        live = start_trial(self.run.store, suggestion, attrs, self._constraints({"legal": 1.0}))
        return tell.refuse(live, "illegal", reason)

    def _constraints(self, constraints: dict[str, float]) -> dict[str, float]:
        """Return the constraints to store; none where the sampler cannot use them."""
        return constraints if registry.entry(self.run.config.sampler).takes_constraints else {}

    def _active(self, live: LiveTrial, network: Candidate) -> ActiveTrial:
        """Return the trial, with the interrupted trials of the same network that it retries and their rungs."""
        store = self.run.store
        repeated = ancestors(store, live.attrs.get(RETRY_OF))
        retried = tuple(record for record in repeated if record.digest == network.digest)
        rungs = dict(retried[0].rungs) if retried else {}
        return ActiveTrial(live, network, store, rungs, retried)
