"""The limit on latency before a trial gets a slot: known latencies are looked up, others are foretold by a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import genome
from search.config.candidate import Candidate
from search.formatting import seconds_in_ms, some
from search.proposals.latency_model import LatencyModel, fitted
from search.space.point import network_of
from search.storage.latency import CachedLatency, LatencyKey, MeasuredLatency, costs_of, every_recalled
from search.storage.record import Record

FORETOLD = "foretold"  # begins the reason of a trial that was refused by the model


class LatencyExcess(NamedTuple):
    """A latency above its limit."""

    reason: str
    # how far over the limit, as a share of it
    over: float
    limit: str = "latency"

    def __str__(self) -> str:
        return self.reason


@dataclass
class LatencyGate:
    """The latencies that are known under one key, and what they foretell of other networks."""

    key: LatencyKey
    # seconds
    limit: float
    # tells the user a line
    say: Callable[[str], None]
    # by the digest of the network
    known: dict[str, CachedLatency] = field(default_factory=dict)
    model: LatencyModel | None = None
    _fitted_with: int = 0  # latencies
    _said_with: int = 0

    def learn(self, network: Candidate, latency: MeasuredLatency) -> None:
        """Add what a worker has measured."""
        if latency.key == self.key:
            costs = costs_of(genome.resolve(genome.loads(network.text)))
            self.known[network_of(network.digest)] = CachedLatency(latency.seconds, latency.noise, costs)

    def excess(self, network: Candidate) -> LatencyExcess | None:
        """Return by how much a network exceeds the limit, measured or foretold; None where it may be trained."""
        one = self.known.get(network_of(network.digest))
        if one is not None:
            return self._measured(MeasuredLatency(one.seconds, one.noise, self.key))
        self._fit()
        return self._foretold(network, self.model) if self.model else None

    def _measured(self, latency: MeasuredLatency) -> LatencyExcess | None:
        if latency.seconds <= self.limit:
            return None
        reason = f"{latency}; at most {seconds_in_ms(self.limit)} is allowed"
        return LatencyExcess(reason, latency.seconds / self.limit - 1.0)

    def _foretold(self, network: Candidate, model: LatencyModel) -> LatencyExcess | None:
        costs = costs_of(genome.resolve(genome.loads(network.text)))
        least = model.least_seconds(costs)
        if least <= self.limit:
            return None
        reason = (
            f"{FORETOLD} latency is {seconds_in_ms(model.seconds(costs))}, {seconds_in_ms(least)} less the margin of "
            f"{model.margin:.0%}; at most {seconds_in_ms(self.limit)} is allowed"
        )
        return LatencyExcess(reason, least / self.limit - 1.0)

    def _fit(self) -> None:
        if len(self.known) == self._fitted_with:
            return
        self._fitted_with = len(self.known)
        self.model = model_of(list(self.known.values()))
        if self.model is not None and len(self.known) >= 2 * self._said_with:
            self._said_with = len(self.known)
            self.say(f"{self.model}; limit {seconds_in_ms(self.limit)}")


def model_of(known: Sequence[CachedLatency]) -> LatencyModel | None:
    """Return the model of known latencies, None where they are too few."""
    return fitted([one.costs for one in known], [one.seconds for one in known])


def known_latencies(records: Sequence[Record], key: LatencyKey) -> dict[str, CachedLatency]:
    """Return the latencies of trials that were measured under a key, by the digest of the network."""
    found = dict[str, CachedLatency]()
    for record in records:
        one, digest = record.latency, network_of(record.digest or "")
        if one is not None and one.key == key and record.genome is not None and digest not in found:
            costs = costs_of(genome.resolve(genome.loads(record.genome)))
            found[digest] = CachedLatency(one.seconds, one.noise, costs)
    return found


def known_here(records: Sequence[Record], key: LatencyKey) -> dict[str, CachedLatency]:
    """Return all latencies known under a key: those of the cache, and those of trials that it lacks."""
    cached = every_recalled(key)
    missing = [one for one in records if network_of(one.digest or "") not in cached]
    return {**cached, **known_latencies(missing, key)}


def summary(records: Sequence[Record]) -> str | None:
    """Return one line about the measured latencies of a study, None where it measured none."""
    measured = [record for record in records if record.latency is not None]
    if not measured:
        return None
    key = measured[-1].latency.key  # type: ignore[union-attr]
    known = known_latencies(measured, key)
    noise = sorted(one.noise / one.seconds for one in known.values() if one.seconds)
    refused = [record for record in records if record.outcome == "refused" and record.reason]
    foretold = sum((record.reason or "").startswith(FORETOLD) for record in refused)
    over = sum((record.reason or "").startswith("latency is") for record in refused)
    middle = noise[len(noise) // 2] if noise else 0.0
    parts = [
        f"latency of {key.setting} ({key.device}): {some(len(known), 'network')} measured, noise ±{middle:.1%}"
    ]
    if over:
        parts.append(f"{over} refused as measured")
    if foretold:
        parts.append(f"{foretold} refused as foretold")
    model = model_of(list(known.values()))
    return "\n".join(filter(None, [", ".join(parts), str(model) if model else ""]))
