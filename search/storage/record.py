"""The record of a trial: what a study stores of the trial, read from Optuna's storage."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import genome
from search.formatting import milliseconds
from search.objective import LEARNT, formatted
from search.samplers.base import ORIGIN, Origin
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.storage.latency import MeasuredLatency
from search.storage.seed_results import SeedResult, SeedResults

# Names of the user attributes of an Optuna trial. The plan and the result are one attribute each: every attribute is
# a transaction, which takes SQLite some milliseconds.
GENOME = "genome"  # canonical text
SEARCHED = "recipe"  # {"key": value} of the recipe, where the study searches some of it
PLAN = "plan"  # digest, params, macs, memory_bytes, depth
RESULT = "result"  # outcome, kind, reason, metrics, epochs, reused, inherited, seconds
CHARGED = (
    "charged_seconds"  # device seconds charged so far, of trials of earlier versions, which had no ledger
)
RUNGS = "rungs"  # {"epoch": score at that rung, higher is better}
CURVE = (
    "curve"  # {"epoch": accuracy or loss on the validation images}, stored from time to time during training
)
LOSSES = "losses"  # {"epoch": [loss on the training images, on the validation images]}, stored with `CURVE`
PROXIES = "proxies"  # {"proxy": value before training, higher promises better}, where the study screens
LATENCY = "latency"  # as `MeasuredLatency.to_json` gives it, where the study measures latency
RETRY_OF = "retry_of"  # number of the interrupted trial that the trial retries
OWNER = "owner"  # host:pid:start of the coordinator, on shared storages
SEEN_AT = "seen_at"  # unix seconds of the last heartbeat of its coordinator, on shared storages
SHARE = "device_share"  # of a device, since training began, on shared storages


UNFINISHED = frozenset({"running", "waiting", "paused"})


@dataclass(frozen=True)
class Record:
    """One trial as text and numbers."""

    number: int
    # running, waiting, paused, done, cut, pruned, refused, failed or interrupted
    outcome: str
    # in the order of the objectives of the study; None where the trial has none
    values: tuple[float, ...] | None = None
    # canonical text
    genome: str | None = None
    # of the network and of `searched`
    digest: str | None = None
    # values of the recipe that the study searches
    searched: Searched = field(default_factory=dict)
    params: int | None = None
    macs: int | None = None
    memory_bytes: int | None = None
    kind: str | None = None
    reason: str | None = None
    # number of the trial whose result is reused
    reused: int | None = None
    epochs: int | None = None
    planned_epochs: int | None = None
    # device seconds charged, those of the finale included
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    # epoch -> score, higher is better
    rungs: Mapping[int, float] = field(default_factory=dict)
    # epoch -> accuracy or loss, some epochs of a running training; the report has all epochs
    curve: Mapping[int, float] = field(default_factory=dict)
    # epoch -> loss on the training and on the validation images, of the same epochs
    losses: Mapping[int, Sequence[float | None]] = field(default_factory=dict)
    # number of the interrupted trial that the trial retries
    retry_of: int | None = None
    origin: Origin | None = None
    # by how much limits are exceeded, as shares of the limits
    violation: float = 0.0
    # trial and share of the first weights, where they were inherited; the metrics then differ from those from scratch
    inherited: Mapping[str, Any] | None = None
    # None where the trial was not screened
    proxies: Mapping[str, float] | None = None
    # seconds, noise, and what they depend on; None where none was measured
    latency: MeasuredLatency | None = None
    # with K folds: the score of each, by objective; the metrics are their means
    folds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    # results of retraining the network
    finale: SeedResults | None = None

    @property
    def search_seconds(self) -> float:
        """The device seconds that were charged before the finale."""
        return self.seconds - (self.finale.seconds if self.finale else 0.0)

    @property
    def is_counted(self) -> bool:
        """Whether the trial counts towards the cap of the study: it has ended, was not interrupted, is no reference."""
        return self.outcome not in UNFINISHED and self.outcome != "interrupted" and not self.is_reference

    @property
    def is_reference(self) -> bool:
        """Whether the trial trains a published network, not one that the sampler proposed."""
        return self.reference is not None

    @property
    def reference(self) -> str | None:
        """The name of the published network that the trial trains, None where the sampler proposed the network."""
        return self.origin.reference if self.origin else None

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, without the genome; `recipe` is there where some of it is searched."""
        shown = {name: value for name, value in vars(self).items() if name not in ("genome", "searched")}
        if self.searched:
            shown["recipe"] = dict(self.searched)
        shown["latency"] = self.latency.to_json() if self.latency else None
        shown["origin"] = self.origin.to_json() if self.origin else None
        shown["finale"] = self.finale.to_json() if self.finale else None
        shown_by_epoch = ("rungs", "curve", "losses")
        by_epoch = {name: {str(e): s for e, s in getattr(self, name).items()} for name in shown_by_epoch}
        return {**shown, **by_epoch, "metrics": dict(self.metrics)}


class State(Protocol):
    """Optuna's state of a trial."""

    @property
    def name(self) -> str: ...

    def is_finished(self) -> bool: ...


class StoredTrial(Protocol):
    """A trial that was read from the storage: Optuna's object, or a row of its tables."""

    @property
    def number(self) -> int: ...

    @property
    def state(self) -> State: ...

    @property
    def values(self) -> Sequence[float] | None: ...

    @property
    def user_attrs(self) -> Mapping[str, Any]: ...

    @property
    def constraints(self) -> Mapping[str, float]: ...


def record(trial: StoredTrial, finale: SeedResults | None = None, charged: float | None = None) -> Record:
    """Return the record of a trial; fields that another program did not store have their defaults.

    charged: what the ledger has of the trial without its finale; None where an earlier version charged it.
    """
    attrs = trial.user_attrs
    plan, result = attrs.get(PLAN, {}), attrs.get(RESULT, {})
    return Record(
        number=trial.number,
        outcome=_outcome(trial, result),
        values=tuple(trial.values) if trial.state.name == "COMPLETE" and trial.values else None,
        genome=attrs.get(GENOME),
        digest=plan.get("digest"),
        searched=attrs.get(SEARCHED, NOTHING_SEARCHED),
        params=plan.get("params"),
        macs=plan.get("macs"),
        memory_bytes=plan.get("memory_bytes"),
        kind=result.get("kind"),
        reason=result.get("reason"),
        reused=result.get("reused"),
        epochs=result.get("epochs"),
        planned_epochs=result.get("planned_epochs"),
        seconds=_charged(charged, attrs, result) + (finale.seconds if finale else 0.0),
        metrics=result.get("metrics", {}),
        rungs={int(epoch): score for epoch, score in attrs.get(RUNGS, {}).items()},
        curve={int(epoch): value for epoch, value in attrs.get(CURVE, {}).items()},
        losses={int(epoch): pair for epoch, pair in attrs.get(LOSSES, {}).items()},
        retry_of=attrs.get(RETRY_OF),
        origin=Origin.of_json(attrs[ORIGIN]) if ORIGIN in attrs else None,
        inherited=result.get("inherited"),
        folds=result.get("folds", {}),
        violation=sum(max(0.0, excess) for excess in trial.constraints.values()),
        proxies=attrs.get(PROXIES),
        latency=MeasuredLatency.of_json(attrs.get(LATENCY)),
        finale=None if finale is None else _with_search(finale, result),
    )


def _charged(ledger: float | None, attrs: Mapping[str, Any], result: Mapping[str, Any]) -> float:
    return float(result.get("seconds", attrs.get(CHARGED, 0.0))) if ledger is None else ledger


def _with_search(finale: SeedResults, result: Mapping[str, Any]) -> SeedResults:
    """Add the training of the search to the results of the finale."""
    outcome, metrics = result.get("outcome"), result.get("metrics", {})
    if outcome not in ("done", "cut") or not {"accuracy", "loss"} <= set(metrics):
        return finale
    epochs = result.get("planned_epochs") or result.get("epochs") or 0
    search = SeedResult(outcome, epochs)._replace(**{name: metrics.get(name) for name in LEARNT})
    is_compared = outcome == "done" and result.get("inherited") is None
    return replace(finale, search=search, is_search_compared=is_compared)


def point_attrs(point: Point) -> dict[str, Any]:
    """Return what a trial stores of a point: the text of its genome, and its recipe where that is searched."""
    recipe = {SEARCHED: dict(point.searched)} if point.searched else {}
    return {GENOME: genome.dump(point.genome), **recipe}


def point_of(record: Record) -> Point:
    """Return the network and the recipe of a trial that has a genome. Raises SourceError where it cannot be read."""
    assert record.genome is not None
    return Point(genome.loads(record.genome, path=f"trial {record.number}"), record.searched)


def _outcome(trial: StoredTrial, result: Mapping[str, Any]) -> str:
    """Return the outcome of a trial. Its result is stored before its state; a kill between them leaves it running."""
    stored = result.get("outcome")
    if stored is not None and (trial.state.is_finished() or stored == "paused"):
        return str(stored)
    return trial.state.name.lower()


def shown(record: Record, name: str) -> str:
    """Return the value of a metric of a trial as people read it, a latency with its noise, a mean of folds with its
    deviation."""
    text = formatted(name, record.metrics.get(name)) + fold_spread(record, name)
    if name != "latency" or record.latency is None:
        return text
    return f"{text} ± {milliseconds(record.latency.noise)}"


def fold_spread(record: Record, name: str) -> str:
    """Return the standard deviation of a metric over the folds, such as ± 0.0123; nothing without folds."""
    scores = record.folds.get(name, ())
    return f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else ""


def spread_over_seeds(record: Record, name: str) -> str:
    """Return mean, deviation and number of seeds, such as 0.9812 ± 0.0021 (3), or that a seed failed."""
    if record.finale is None:
        return "-"
    if record.finale.is_failed:
        return "- (failed)"
    return str(record.finale.spread(name) or "-")
