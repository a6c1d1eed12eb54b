"""Opening: what was drawn becomes a trial: one to be trained, or one that ends at once, refused or known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import genome
from genome import GenomeError
from genome.domain import DomainError
from search.config.candidate import Candidate, candidate, measured
from search.config.study import StudyFile
from search.proposals.ask import Drawn, begin
from search.proposals.history import Past
from search.proposals.screening import Sifted
from search.run import tell
from search.run.active_trial import Entry
from search.run.ownership import owner
from search.run.paused import Paused
from search.run.retries import ancestors
from search.storage.live_trial import Handle
from search.storage.record import CHARGED, GENOME, OWNER, PLAN, PROXIES, RETRY_OF, Record
from search.storage.store import Store


@dataclass(frozen=True)
class Opening:
    """Begins the trials of one coordinator. `trained` are those fit to be reused, by digest."""

    file: StudyFile
    store: Store
    past: Past
    paused: Paused
    trained: dict[str, Record] = field(default_factory=dict)

    def open(self, drawn: Drawn, sifted: Sifted | None = None) -> Entry | Record:
        """Begin the trial of what was drawn, and perhaps screened; its record where it needs no training."""
        attrs: dict[str, Any] = {OWNER: owner()} if self.store.shared else {}
        if sifted:
            attrs |= {PROXIES: sifted.proxies, CHARGED: sifted.charged_seconds}
        network, illegal = self._network(drawn)
        if network is None:
            return self._illegal(drawn, attrs, illegal)
        limits = measured(network, self.file)
        attrs |= {GENOME: network.text, PLAN: network.facts()}
        trial = begin(self.store, drawn, attrs, self._felt({one.limit: one.over for one in limits}))
        assert drawn.genome is not None
        if RETRY_OF not in trial.attrs:
            self.past.met(network.digest)
        self.past.begun(trial.number, drawn.genome, network, drawn.origin, trial.attrs.get(PROXIES))
        exceeded = [excess for excess in limits if excess.over > 0]
        if exceeded:
            return tell.refuse(trial, "limit", "; ".join(map(str, exceeded)))
        entry = self._entry(trial, network)
        if sifted:
            entry.paid = sifted.charged_seconds
        return self.reused(entry) or entry

    def wanted(self, drawn: Drawn) -> Candidate | None:
        """Return the network of what was drawn, where it breaks no limit and is not known yet."""
        network, _ = self._network(drawn)
        if network is None or network.digest in self.past.digests:
            return None
        return None if any(excess.over > 0 for excess in measured(network, self.file)) else network

    def reused(self, entry: Entry) -> Record | None:
        """End an entry whose network was trained before with what it reached then; None where it was not."""
        twin = self.trained.get(entry.network.digest) or self.paused.twin(entry.network.digest)
        return tell.reuse(entry.trial, twin, self.file.sampler) if twin else None

    def _network(self, drawn: Drawn) -> tuple[Candidate | None, str]:
        """Resolve what was drawn, or say why it is no network."""
        if drawn.genome is None:
            return None, drawn.error or "nothing was drawn"
        try:
            return candidate(drawn.genome, self.file.recipe.batch, self.file.recipe.optimizer), ""
        except (GenomeError, DomainError) as error:
            return None, str(error)

    def _illegal(self, drawn: Drawn, attrs: dict[str, Any], why: str) -> Record:
        """Refuse what is no network."""
        if drawn.genome is not None:
            attrs[GENOME] = genome.dump(drawn.genome)
        trial = begin(self.store, drawn, attrs, self._felt({"legal": 1.0}))
        return tell.refuse(trial, "illegal", why)

    def _felt(self, constraints: dict[str, float]) -> dict[str, float]:
        """The constraints that the sampler is told; CMA-ES would only warn that it cannot use them."""
        return {} if self.file.sampler == "cmaes" else constraints

    def _entry(self, trial: Handle, network: Candidate) -> Entry:
        """Take a trial in hand; what an interrupted one of the same network had come to is its own."""
        repeated = ancestors(self.store, trial.attrs.get(RETRY_OF))
        earlier = tuple(record for record in repeated if record.digest == network.digest)
        return Entry(trial, network, dict(earlier[0].rungs) if earlier else {}, earlier)
