"""The latency of a network that stops early beside that of the whole network, on the same images."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.exits.rules import Threshold
from genome.exits.scores import SCORES
from trainer.hardware.passes import on_the_processor, timed
from trainer.hardware.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor

    from genome import EarlyExit
    from genome.network import Network

ROUNDS = 5  # of both networks in turn, at least
LEAST_SECONDS = 0.5  # of all rounds
MOST_CALLS = 64  # of a round


class Latency(NamedTuple):
    """Milliseconds of a call, on one thread of the CPU: the median over the rounds."""

    images: int  # of a call
    whole: float
    early: float

    @property
    def ratio(self) -> float:
        """How many times as fast the network is that stops early."""
        return self.whole / self.early

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"images": self.images, "whole_ms": self.whole, "early_ms": self.early}


def latency(network: Network, early: EarlyExit, images: Tensor, size: int) -> Latency:
    """Measure calls of `size` images, the two networks in turn. images: normalised, evenly drawn from a split."""
    batches = [images[i : i + size] for i in range(0, len(images), size)][:MOST_CALLS]
    batches = batches[:-1] if len(batches) > 1 and len(batches[-1]) < size else batches
    with one_thread():
        rounds = [*_rounds([network, early], batches)]
    whole, stopping = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
    return Latency(len(batches[0]), whole, stopping)


def seconds_of_exits(network: Network, image: Tensor) -> tuple[float, ...]:
    """Return the processor seconds until each exit answers for one image. image: normalised, (1, C, H, W)."""
    with quiet(1), one_thread():
        found = [timed(partial(run, image), on_the_processor).seconds for run in _stopping(network)]
    # rounding of the clock must not make a later exit cheaper than an earlier one
    return tuple(accumulate(found, max))


def _stopping(network: Network) -> list[Callable[[Tensor], object]]:
    """Return the network as it stops at each of its exits."""
    from genome import EarlyExit

    count, score = len(network.exits), SCORES["entropy"]
    if count == 1:
        return [network]
    rules = [(score.nobody,) * k + (score.everybody,) * (count - 1 - k) for k in range(count)]
    return [EarlyExit(network, Threshold("entropy", rule)) for rule in rules]


def _rounds(
    networks: Sequence[Callable[[Any], object]], batches: Sequence[Tensor]
) -> Iterator[tuple[float, ...]]:
    """Yield the mean seconds of a call of each network, after one round that is not counted."""
    _row(networks, batches)
    count, spent = 0, 0.0
    while count < ROUNDS or spent < LEAST_SECONDS:
        row = _row(networks, batches)
        yield row
        count, spent = count + 1, spent + sum(row) * len(batches)


def _row(networks: Sequence[Callable[[Any], object]], batches: Sequence[Tensor]) -> tuple[float, ...]:
    found = []
    for network in networks:
        start = time.perf_counter()
        for batch in batches:
            network(batch)
        found.append((time.perf_counter() - start) / len(batches))
    return tuple(found)


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch uses one thread of the CPU and records nothing for gradients."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
