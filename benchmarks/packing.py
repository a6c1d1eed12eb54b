"""Trials an hour: two processes of one thread against one process of one thread, and one process of two threads.

Each process loads the data and trains a network once before the clock starts, then trains its share of the same
short trials: networks drawn from the spaces of the studies, on the digits and on part of Fashion-MNIST. The measure
is wall time, because packing is about wall time. The benchmark needs two free cores and gives no verdict if the
processes did not have them. Goals: 1.7 times as many trials as one thread, 1.2 times as many as one process of two
threads.

    python benchmarks/packing.py [--data-root FOLDER] [--trials 4] [--images 512] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple

import torch

import genome
import trainer
from benchmarks._rounds import measure, prepare, setting
from benchmarks.training import BATCH, drawn, part
from trainer import Data, Recipe

FREE = 0.95  # the least share of a core that each of two processes has on an otherwise idle machine
GOALS = {"one process, one thread": 1.7, "one process, two threads": 1.2}


class Job(NamedTuple):
    """What a process trains."""

    data: str  # name of the data set
    root: str | None  # folder of the data
    images: int  # train images that are used
    recipe: Recipe
    texts: tuple[str, ...]  # the genomes

    def load(self) -> Data:
        data = trainer.load(self.data, root=self.root, download=False)
        return part(data, self.images) if self.images < len(data.train) else data


def serve(pipe: Connection, job: Job, threads: int) -> None:
    """Train trials by their numbers until None comes; each answer is the share of a core that the process had."""
    torch.set_num_threads(threads)
    data = job.load()
    _train(job, data, 0)
    pipe.send(True)
    while (numbers := pipe.recv()) is not None:
        began, before = time.perf_counter(), time.process_time()
        for number in numbers:
            _train(job, data, number)
        pipe.send((time.process_time() - before) / (time.perf_counter() - began))


def _train(job: Job, data: Data, number: int) -> None:
    found = genome.loads(job.texts[number])
    report = trainer.fit(genome.build(found), data, recipe=job.recipe)
    if report.outcome != "done":
        raise RuntimeError(report.reason)


class Crew:
    """Processes that share the trials of a run, with that many threads each. A context manager."""

    def __init__(self, job: Job, processes: int, threads: int) -> None:
        context = get_context("spawn")
        self.trials, self.pipes, self.children = len(job.texts), [], []
        self.shares: list[float] = []  # of a core, for each process in each run
        for _ in range(processes):
            ours, theirs = context.Pipe()
            child = context.Process(target=serve, args=(theirs, job, threads), daemon=True)
            child.start()
            theirs.close()
            self.pipes.append(ours)
            self.children.append(child)
        for pipe in self.pipes:
            pipe.recv()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe, child in zip(self.pipes, self.children, strict=True):
            pipe.send(None)
            child.join()

    def run(self) -> None:
        """Train every trial once: each process takes every n-th."""
        for i, pipe in enumerate(self.pipes):
            pipe.send(range(i, self.trials, len(self.pipes)))
        self.shares += [pipe.recv() for pipe in self.pipes]


def compared(job: Job, rounds: int) -> None:
    """Print the lines of a data set."""
    with ExitStack() as stack:
        crew = partial(_entered, stack, job)
        packed, single, double = crew(2, 1), crew(1, 1), crew(1, 2)
        others = dict(zip(GOALS, (single.run, double.run), strict=True))
        found = measure(packed.run, others, rounds=rounds, clock=time.perf_counter)
    share = statistics.median(packed.shares)
    if share < FREE:
        print(
            f"{job.data}: inconclusive: two cores were not free, a process had only {share:.0%} of one; the figures:"
        )
    for name, goal in GOALS.items():
        one = found.against(name, goal=goal if share >= FREE else None)
        hourly = [3600 * len(job.texts) / seconds for seconds in (one.ours, one.theirs)]
        print(f"{job.data}: {hourly[0]:,.0f} trials/h against {hourly[1]:,.0f}, {name}: {one}", flush=True)


def _entered(stack: ExitStack, job: Job, processes: int, threads: int) -> Crew:
    return stack.enter_context(Crew(job, processes, threads))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--trials", type=int, default=4, help="trials of a run; an even number")
    parser.add_argument("--images", type=int, default=512, help="train images of Fashion-MNIST")
    parser.add_argument("--macs", type=int, default=6_000_000, help="limit of a network's multiply-adds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    prepare(seed=given.seed)
    print(setting(given.seed))
    print("two processes of one thread against:")
    for name, images, epochs in (("digits", 10**9, 3), ("fashion-mnist", given.images, 2)):
        recipe = Recipe(batch=BATCH[name], epochs=epochs, seed=given.seed, precision="fp32")
        named = drawn(name, given.trials, given.seed, given.macs)
        texts = tuple(genome.dump(one.genome) for one in named)
        job = Job(name, given.data_root, images, recipe, texts)
        try:
            job.load()
        except trainer.DataError as error:
            print(f"{name} was not measured: {error}")
            continue
        compared(job, given.rounds)


if __name__ == "__main__":
    main()
