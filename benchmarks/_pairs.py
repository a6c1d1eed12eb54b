"""Timing two ways of doing the same in turn: one thread, process time, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def seconds(step: Callable[[], object]) -> float:
    """Process time of one call."""
    start = time.process_time()
    step()
    return time.process_time() - start


def ratios(
    ours: Callable[[], object], others: Sequence[Callable[[], object]], rounds: int = 15
) -> list[float]:
    """How many times as long each of the others takes: the median of the ratios of neighbouring runs."""
    for step in (ours, *others):
        step()
        step()
    rows = []
    for _ in range(rounds):
        own = seconds(ours)
        rows.append([seconds(other) / own for other in others])
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def training_step(module: nn.Module, *xs: Tensor) -> Callable[[], None]:
    """A forward in training mode and a backward to all weights and inputs."""
    module.train()

    def step() -> None:
        for parameter in module.parameters():
            parameter.grad = None
        for x in xs:
            x.grad = None
        out = module(*xs)
        for one in out if isinstance(out, tuple) else (out,):
            one.sum().backward(retain_graph=isinstance(out, tuple))

    return step


def prepare() -> None:
    """One thread, and the same numbers each time."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
