"""How well a measured latency repeats on a busy machine, and how well others are foretold from it.

Each network is measured with one thread, in turn beside nothing and beside a busy loop on each core: by the processor
seconds of a study (`timing`), and by the clock (`latency`, the median of 30 passes). The first columns are the ratio of
busy to idle, a median over the rounds, and the largest distance of two idle rounds. The last lines are the errors of a
model that was fitted to drawn networks of a preset, of those left out and of others, which it has not seen.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import torch
from torch import nn

import genome
from genome.zoo.densenet import densenet
from genome.zoo.mobilenet import mobilenet_v1
from genome.zoo.resnet import resnet
from search.config.read import parse_study
from search.proposals.latency_model import fitted
from search.storage.latency import costs_of
from trainer import latency
from trainer.hardware.latency import timing
from trainer.system.cpu import usable_cores

SHAPE, CLASSES = (1, 28, 28), 10
NETWORKS = {
    "resnet-8": resnet(8, SHAPE, CLASSES),
    "resnet-20": resnet(20, SHAPE, CLASSES),
    "densenet-16": densenet(16, 12, SHAPE, CLASSES),
    "mobilenet-v1": mobilenet_v1(0.25, SHAPE, CLASSES),
}
WAYS: dict[str, Callable[[nn.Module], float]] = {
    "processor": lambda module: timing(module, SHAPE).seconds,
    "clock": lambda module: latency(module, SHAPE),
}
STUDY = "study: drawn\ndata: fashion-mnist\nspace: {preset: stages, widths: {base: {int: [4, 24]}}}\n"


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Run so many busy loops."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def repeated(module: nn.Module, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Return the seconds of each way on the idle and on the busy machine."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in WAYS}
    for _ in range(rounds):
        for is_busy in (False, True):
            with neighbours(usable_cores() if is_busy else 0):
                for name, way in WAYS.items():
                    found[name][is_busy].append(way(module))
    return found


def drawn(count: int) -> tuple[list[dict[str, float]], list[float]]:
    """Return the costs and the seconds of networks drawn from a preset."""
    space, rng = parse_study(STUDY, "drawn.yaml").space, Random(0)
    plans = [genome.resolve(space.sample(rng)) for _ in range(count)]
    return [dict(costs_of(plan)) for plan in plans], [timing(genome.build(p), SHAPE).seconds for p in plans]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", type=int, default=60, help="that are drawn; half of them are foretold")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'network':14}{'by the':11}{'ms':>8}  busy / idle  idle rounds apart")
    for name, network in NETWORKS.items():
        for way, (idle, busy) in repeated(genome.build(network, seed=0), given.rounds).items():
            ratio = statistics.median(b / i for i, b in zip(idle, busy, strict=True))
            middle = statistics.median(idle)
            print(f"{name:14}{way:11}{1000 * middle:8.3f}  {ratio:11.2f}  {max(idle) / min(idle) - 1:17.1%}")
    costs, seconds = drawn(given.networks)
    half = len(costs) // 2
    model = fitted(costs[:half], seconds[:half])
    assert model is not None
    pairs = list(zip(costs[half:], seconds[half:], strict=True))
    errors = [abs(math.expm1(math.log(model.seconds(one) / known))) for one, known in pairs]
    inside = sum(model.least_seconds(one) <= known for one, known in pairs) / len(pairs)
    print(f"\n{model}")
    print(
        f"of {len(pairs)} others: {statistics.median(errors):.0%} off at the median, {inside:.0%} within the margin"
    )


if __name__ == "__main__":
    main()
