"""What a study keeps of one trial, read back from Optuna's storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from search.samplers.base import ORIGIN, Origin
from search.storage.seed_results import SeedResults

# Names of the attributes on an Optuna trial. The plan and the result are one attribute each, as every
# attribute is a transaction of some milliseconds on SQLite.
GENOME = "genome"  # canonical text
PLAN = "plan"  # digest, params, macs, memory_bytes, depth
RESULT = "result"  # outcome, kind, reason, metrics, epochs, reused, inherited, seconds
CHARGED = "charged_seconds"  # device seconds charged so far; a result that has seconds has the last word
RUNGS = "rungs"  # {"epoch": score at that rung, higher is better}
CURVE = "curve"  # {"epoch": accuracy or loss on the validation images}, kept now and then while it is trained
PROXIES = "proxies"  # {"proxy": value before training, higher promises better}, of a study that screens
RETRY_OF = "retry_of"  # number of the interrupted trial that this one repeats
OWNER = "owner"  # host:pid of the coordinator, on shared storages
SEEN_AT = "seen_at"  # unix seconds of its last sign of life, on shared storages
SHARE = "device_share"  # of a device that its training takes, once that has begun, on shared storages


UNFINISHED = frozenset({"running", "waiting", "paused"})


@dataclass(frozen=True)
class Record:
    """One trial as text and numbers.

    `outcome` is one of running, waiting, paused, done, cut, pruned, refused, failed, interrupted; `values`
    stand in the order of the study's objectives and are None where the trial has none to tell. `violation` is
    by how much limits are broken, in shares of them. `inherited` says from which trial it had its first
    weights, and what share of them; what was measured is then not what it would be from scratch. `curve` has
    epochs of a training while it goes on; the report has all of them. `proxies` is
    None where the trial was not screened. `finale` is what came of training its network anew; `seconds` are all
    that was charged for it, there too.
    """

    number: int
    outcome: str
    values: tuple[float, ...] | None = None
    genome: str | None = None
    digest: str | None = None
    params: int | None = None
    macs: int | None = None
    memory_bytes: int | None = None
    kind: str | None = None
    reason: str | None = None
    reused: int | None = None
    epochs: int | None = None
    planned_epochs: int | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    rungs: Mapping[int, float] = field(default_factory=dict)
    curve: Mapping[int, float] = field(default_factory=dict)
    retry_of: int | None = None
    origin: Origin | None = None
    violation: float = 0.0
    inherited: Mapping[str, Any] | None = None
    proxies: Mapping[str, float] | None = None
    finale: SeedResults | None = None

    @property
    def search_seconds(self) -> float:
        """The device seconds that were charged before the finale."""
        return self.seconds - (self.finale.seconds if self.finale else 0.0)

    @property
    def is_counted(self) -> bool:
        """Whether the trial counts towards a study's cap: it was told, and not merely interrupted."""
        return self.outcome not in UNFINISHED and self.outcome != "interrupted"

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, the genome's text left out."""
        shown = {name: value for name, value in vars(self).items() if name != "genome"}
        shown["origin"] = self.origin.to_json() if self.origin else None
        shown["finale"] = self.finale.to_json() if self.finale else None
        by_epoch = {name: {str(e): s for e, s in getattr(self, name).items()} for name in ("rungs", "curve")}
        return {**shown, **by_epoch, "metrics": dict(self.metrics)}


class State(Protocol):
    """Where Optuna says that a trial is."""

    @property
    def name(self) -> str: ...

    def is_finished(self) -> bool: ...


class StoredTrial(Protocol):
    """What is read of a trial: of Optuna's own, or of a row of its tables."""

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


def record(trial: StoredTrial, finale: SeedResults | None = None) -> Record:
    """Return the record of a trial; trials of other makers give what they can."""
    attrs = trial.user_attrs
    plan, result = attrs.get(PLAN, {}), attrs.get(RESULT, {})
    return Record(
        number=trial.number,
        outcome=_outcome(trial, result),
        values=tuple(trial.values) if trial.state.name == "COMPLETE" and trial.values else None,
        genome=attrs.get(GENOME),
        digest=plan.get("digest"),
        params=plan.get("params"),
        macs=plan.get("macs"),
        memory_bytes=plan.get("memory_bytes"),
        kind=result.get("kind"),
        reason=result.get("reason"),
        reused=result.get("reused"),
        epochs=result.get("epochs"),
        planned_epochs=result.get("planned_epochs"),
        seconds=float(result.get("seconds", attrs.get(CHARGED, 0.0))) + (finale.seconds if finale else 0.0),
        metrics=result.get("metrics", {}),
        rungs={int(epoch): score for epoch, score in attrs.get(RUNGS, {}).items()},
        curve={int(epoch): value for epoch, value in attrs.get(CURVE, {}).items()},
        retry_of=attrs.get(RETRY_OF),
        origin=Origin.of_json(attrs[ORIGIN]) if ORIGIN in attrs else None,
        inherited=result.get("inherited"),
        violation=sum(max(0.0, excess) for excess in trial.constraints.values()),
        proxies=attrs.get(PROXIES),
        finale=finale,
    )


def _outcome(trial: StoredTrial, result: Mapping[str, Any]) -> str:
    """What became of a trial. Its result is written before its state: a kill between the two leaves it running."""
    told = result.get("outcome")
    if told is not None and (trial.state.is_finished() or told == "paused"):
        return str(told)
    return trial.state.name.lower()


def spread_over_seeds(record: Record, name: str) -> str:
    """Return mean, deviation and number of the finale's trainings, such as 0.9812 ± 0.0021 (3), or that one failed."""
    if record.finale is None:
        return "-"
    if record.finale.is_failed:
        return "- (failed)"
    return str(record.finale.spread(name) or "-")
