"""Measured latencies: what a trial stores of one, and the cache of them, which all studies of a user share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

from search.config.latency import RUNTIMES, LatencySetting
from search.formatting import milliseconds, seconds_in_ms
from trainer.hardware import cache

if TYPE_CHECKING:
    from genome import Plan

Costs = Mapping[str, float]  # of a plan, as `costs_of` gives them
PACKAGE = "genome-nas"


class LatencyKey(NamedTuple):
    """What a latency depends on beside the network; latencies of two keys are never compared."""

    setting: LatencySetting
    # the processor or the GPU by its maker's name
    device: str
    # of what makes and runs the network, by distribution
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, setting: LatencySetting, device: str) -> LatencyKey:
        """Return the key of this machine. device: of a slot, such as cpu or cuda:0."""
        runtime = RUNTIMES[setting.runtime]
        names = (PACKAGE, "torch", *runtime.needs)
        known = tuple((name, _version(name)) for name in names)
        return cls(setting, _device(device if runtime.format is None else "cpu"), known)

    @property
    def file(self) -> str:
        """The name of its file in the cache."""
        return f"latency-{blake2b(repr(self).encode(), digest_size=8).hexdigest()}"


class MeasuredLatency(NamedTuple):
    """The latency of one network."""

    # of a forward pass
    seconds: float
    # half the width of its 95 % confidence interval
    noise: float
    key: LatencyKey

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as a trial stores them."""
        key = self.key
        return {
            "seconds": self.seconds,
            "noise": self.noise,
            **key.setting.plain(),
            "device": key.device,
            "versions": dict(key.versions),
        }

    def __str__(self) -> str:
        noise = milliseconds(self.noise)
        return f"latency is {seconds_in_ms(self.seconds)} ± {noise} ({self.key.setting}, {self.key.device})"

    @classmethod
    def of_json(cls, plain: Any) -> MeasuredLatency | None:
        """Read what `to_json` gave; None of anything else."""
        try:
            setting = LatencySetting(str(plain["runtime"]), int(plain["batch"]), int(plain["threads"]))
            versions = tuple((str(name), str(one)) for name, one in plain["versions"].items())
            key = LatencyKey(setting, str(plain["device"]), versions)
            return cls(_number(plain["seconds"]), _number(plain["noise"]), key)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


class CachedLatency(NamedTuple):
    """A latency in the cache, with what its network costs."""

    seconds: float
    noise: float
    costs: Costs


def recalled(key: LatencyKey, digest: str) -> CachedLatency | None:
    """Return the latency of a network that was measured before, None where it was not. digest: of the network."""
    return _cached(cache.facts(key.file).recall(digest))


def every_recalled(key: LatencyKey) -> dict[str, CachedLatency]:
    """Return all latencies that were measured under a key, by the digest of the network, the oldest first."""
    read = {digest: _cached(stored) for digest, stored in cache.facts(key.file).all().items()}
    return {digest: one for digest, one in read.items() if one is not None}


def remember(key: LatencyKey, digest: str, one: CachedLatency) -> None:
    """Store the latency of a network for later trials and studies."""
    cache.facts(key.file).remember(digest, {**one._asdict(), "costs": dict(one.costs)})


def costs_of(plan: Plan) -> Costs:
    """Return what a forward pass of one image does: in all, and by the type of the nodes.

    bytes: of activations that are read and written, and of parameters that are read, in float32.
    """
    found: dict[str, float] = {
        "macs": plan.macs,
        "params": plan.params,
        "bytes": 4.0 * plan.params,
        "steps": 0.0,
    }
    for step in plan.steps:
        word, cost = step.node.op.word, step.info.cost
        moved = sum(one.size for one in step.ins if one is not None) + step.info.out.size + cost.scratch
        for name, more in (
            ("bytes", 4.0 * moved),
            ("steps", 1.0),
            (f"steps of {word}", 1.0),
            (f"macs of {word}", cost.macs),
        ):
            found[name] = found.get(name, 0.0) + more
    return found


def _cached(stored: Any) -> CachedLatency | None:
    """Read an entry of the cache, a file that anything may have been written to."""
    try:
        costs = {str(name): float(value) for name, value in stored["costs"].items()}
        return CachedLatency(_number(stored["seconds"]), _number(stored["noise"]), costs)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _number(value: Any) -> float:
    found = float(value)
    if not (math.isfinite(found) and found >= 0):
        raise ValueError(value)
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _device(device: str) -> str:
    if device == "cpu":
        return cache.processor()
    import torch

    return torch.cuda.get_device_name(device)
