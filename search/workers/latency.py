"""The latency of a network, measured in a worker before the network is trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import genome
import trainer
from genome import Plan
from search.config.latency import RUNTIMES, LatencySetting
from search.results.formats import FORMATS, Format, file_of
from search.storage.data_facts import DataFacts
from search.storage.latency import CachedLatency, LatencyKey, MeasuredLatency, costs_of, recalled, remember
from trainer.hardware import passes
from trainer.hardware.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

    from search.results.pixels import Pixels
    from trainer.hardware.passes import Timing

RUNNER = Path(__file__).with_name("latency_runner.py")
SECONDS = 300.0  # after which the process that runs a file has failed


class LatencyError(Exception):
    """A network that cannot be measured; the message is one sentence."""


class Found(NamedTuple):
    """What measuring gave."""

    latency: MeasuredLatency
    # device seconds on the slot, 0 where the cache had it
    seconds: float


def measured(text: str, setting: LatencySetting, data: trainer.Data, device: str) -> Found:
    """Return the latency of the genome of a text: from the cache, or measured now.

    Raises:
        LatencyError: it cannot be built, or written for the runtime, or run there.
    """
    plan = genome.resolve(genome.loads(text))
    key, digest = LatencyKey.of(setting, device), genome.digest(plan)
    known = recalled(key, digest)
    if known is not None:
        return Found(MeasuredLatency(known.seconds, known.noise, key), 0.0)
    meter, children = trainer.Meter(device), _children_seconds()
    try:
        timing = _timed(plan, setting, data, device, meter)
    except Exception as error:  # of the network, an exporter or a runtime
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise LatencyError(f"its latency cannot be measured: {message}") from error
    remember(key, digest, CachedLatency(timing.seconds, timing.noise, costs_of(plan)))
    waited = _children_seconds() - children if device == "cpu" else 0.0
    return Found(MeasuredLatency(timing.seconds, timing.noise, key), meter.seconds + waited)


def _timed(
    plan: Plan, setting: LatencySetting, data: trainer.Data, device: str, meter: trainer.Meter
) -> Timing:
    """Build the network, write it for its runtime, and time it. Waiting for other measurements is not charged."""
    from trainer.hardware.latency import timing

    name = RUNTIMES[setting.runtime].format
    if name is None:
        with meter:
            module = _module(plan, setting.runtime)
        with quiet(setting.threads), meter:
            return timing(module, data.input, device, setting.batch, setting.threads)
    with meter:
        pixels = _pixels(plan, data)
        stored = file_of(FORMATS[name], pixels)
    with quiet(setting.threads), meter:
        return _timed_files(stored, pixels.outs, FORMATS[name], setting, data)


def _module(plan: Plan, runtime: str) -> nn.Module:
    network = genome.build(plan, seed=0)
    if runtime == "torch":
        return network
    from genome.plain.module import plain_module

    return plain_module(network.eval(), plan, fold=runtime == "folded")


def _pixels(plan: Plan, data: trainer.Data) -> Pixels:
    from search.results.pixels import Pixels

    return Pixels(genome.build(plan, seed=0).eval(), plan, DataFacts.of(data), fold=True)


def _timed_files(
    stored: Mapping[str, bytes],
    outs: Sequence[str],
    format: Format,
    setting: LatencySetting,
    data: trainer.Data,
) -> Timing:
    """Run the files of a format in a fresh process, which has the cores and the priority of this thread."""
    images = np.random.default_rng(0).integers(0, 256, (setting.batch, *data.input), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file, given = Path(folder, format.file), Path(folder, "images.npy")
        for name, content in stored.items():
            Path(folder, name).write_bytes(content)
        np.save(given, images)
        words = [
            format.loader,
            str(file),
            json.dumps(list(outs)),
            str(given),
            str(setting.threads),
            passes.__file__,
        ]
        done = subprocess.run(
            [sys.executable, "-I", RUNNER, *words], capture_output=True, text=True, timeout=SECONDS
        )
    if done.returncode != 0:
        raise LatencyError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return passes.Timing(**json.loads(done.stdout))


def _children_seconds() -> float:
    """Return the processor seconds of the processes that this one has waited for."""
    used = os.times()
    return used.children_user + used.children_system
