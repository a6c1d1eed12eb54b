"""What a trained network comes to that stops early: the objectives that are means over the validation images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

import genome
import trainer
from genome.exits.curve import Seen
from genome.exits.segments import costs, segments
from search.objective import EXPECTED_LATENCY
from search.results.exits.expected import calibrated, stopped
from search.results.exits.latency import seconds_of_exits
from search.workers.messages import StopTask

if TYPE_CHECKING:
    from torch import Tensor

    from search.storage.trial_report import Stopped


class EarlyExits:
    """One network of a trial, measured as often as its weights are given: at rungs and at the end of its training.

    It is a copy, so that the network in training keeps its mode and its layout.
    """

    def __init__(self, text: str, task: StopTask, data: trainer.Data, device: str, batch: int) -> None:
        """text: of the genome.  batch: images that run together."""
        self._task, self._data, self._device, self._batch = task, data, device, batch
        self._meter = trainer.Meter(device)
        with self._meter:
            self._network = genome.build(genome.loads(text)).eval()
            self._costs = {name: self._costs_of(name) for name in task.objectives}

    @property
    def seconds(self) -> float:
        """Device seconds so far, on the slot."""
        return self._meter.seconds

    def measured(self, weights: Mapping[str, Tensor]) -> dict[str, Stopped]:
        """Return what the network comes to with these weights, by objective."""
        with self._meter:
            self._network.load_state_dict(weights)
            seen = calibrated(self._seen())
            return {name: stopped(seen, each, self._task.drop) for name, each in self._costs.items()}

    def _seen(self) -> Seen:
        valid = self._data.valid
        logits = trainer.exit_logits(self._network, valid, self._data, self._device, self._batch)
        return Seen(tuple([one.numpy() for one in logits]), valid.y.cpu().numpy())

    def _costs_of(self, objective: str) -> tuple[float, ...]:
        """What an image costs that leaves at each exit; times are those of the CPU, whatever trains the network."""
        network = self._network
        if objective == EXPECTED_LATENCY:
            return seconds_of_exits(network, torch.zeros(1, *self._data.input))
        parts = segments(network.plan_steps, network.exits)
        return costs(parts) if len(parts) > 1 else (network.macs,)
