"""GPU sharing: how many networks a GPU trains at once, by its free memory and its measured throughput.

A small network leaves most of a GPU idle, because the host cannot launch the kernels fast enough. Several processes
fill the GPU, up to a number that depends on device and host. This number is measured once and cached.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from search.workers.local import prepare
from search.workers.messages import DeviceState
from trainer.hardware.cache import recall, remember
from trainer.system.processes import start_method, start_process, without_main

VERSION = 1  # of the benchmark: a new version measures all rates again
MOST = 4  # workers on one device, at most
CONTEXT_BYTES = 600 * 2**20  # memory that CUDA takes in each process
WITHIN = 0.9  # share of the best throughput that is enough: fewer workers leave more memory to each
WARM_UP_SECONDS = 0.3  # of training before the measurement
ANSWER_SECONDS = 120.0  # in which a benchmark process must answer


class Sharing(NamedTuple):
    """How many workers share one device."""

    workers: int
    # the reason, as the end of a sentence
    why: str


def decide(free_bytes: int, needed_bytes: int, rates: Sequence[float]) -> Sharing:
    """Return how many workers a device gets, each with `needed_bytes`; rates[i] is the throughput of i + 1 workers."""
    fitting = max(1, min(MOST, free_bytes // needed_bytes))
    known = rates[:fitting]
    if fitting == 1 or not known:
        return Sharing(1, "no more have room in its memory" if fitting == 1 else "nothing was measured")
    best = max(known)
    workers = next(i + 1 for i, rate in enumerate(known) if rate >= WITHIN * best)
    listed = ", ".join(f"{rate / known[0]:.2f}" for rate in known)
    return Sharing(workers, f"1 to {len(known)} at once have a throughput of {listed} here")


def bytes_per_worker(free_bytes: int, data_bytes: int, memory_bytes: int | None) -> int:
    """Return the bytes of one worker: of CUDA, the images and the network, by default so that four workers fit."""
    fixed = CONTEXT_BYTES + data_bytes
    return fixed + memory_bytes if memory_bytes is not None else max(free_bytes // MOST, 2 * fixed)


def sharing(device: str, data_bytes: int, memory_bytes: int | None) -> Sharing:
    """Return how many workers share the device. The measurement takes some seconds, once for each machine."""
    with benchmark_processes(device, 1) as pipes:
        state = receive(pipes[0])
    if not isinstance(state, DeviceState):
        return Sharing(1, "it could not be measured")
    each = bytes_per_worker(state.free_bytes, data_bytes, memory_bytes)
    fits_two = state.free_bytes // each > 1
    return decide(state.free_bytes, each, rates(device, state.machine) if fits_two else [])


def rates(device: str, machine: str) -> list[float]:
    """Return the images a second of 1, 2, ... processes at once, cached or measured now."""
    key = f"sharing {VERSION}, {machine}"
    known: list[float] | None = recall(key)
    if known is None:
        known = measured(device, MOST)
        remember(key, known)
    return known


def measured(device: str, most: int, seconds: float = 1.0) -> list[float]:
    """Return the images a second that 1, 2, ... `most` processes train at once on the device, in these seconds.

    The list is shorter where fewer processes can work there.
    """
    with benchmark_processes(device, most) as pipes:
        able = [pipe for pipe in pipes if receive(pipe) is not None]
        train_at_once(able, WARM_UP_SECONDS)
        found: list[float] = []
        for count in range(1, len(able) + 1):
            rates_now = train_at_once(able[:count], seconds)
            if None in rates_now:
                break
            found.append(sum(rates_now))
    return found


@contextmanager
def benchmark_processes(device: str, count: int) -> Iterator[list[Connection]]:
    """Start benchmark processes on a device and yield their pipes, so that the coordinator itself does not use CUDA."""
    prepare()
    started: list[tuple[Connection, BaseProcess]] = []
    try:
        with without_main():
            for _ in range(count):
                ours, theirs = multiprocessing.get_context(start_method()).Pipe()
                started.append((ours, start_process(_serve, theirs, device)))
                theirs.close()
        yield [ours for ours, _ in started]
    finally:
        for ours, process in started:
            ours.close()
            process.kill()
            process.join()


def _serve(pipe: Connection, device: str) -> None:
    from search.workers.gpu_benchmark import (
        serve,
    )  # imports torch: in the fork server, never in the coordinator

    serve(pipe, device)


def train_at_once(pipes: Sequence[Connection], seconds: float) -> list[Any]:
    """Let these processes train at once; return the images a second of each, None for a process that failed."""
    for pipe in pipes:
        with suppress(OSError):
            pipe.send(seconds)
    return [receive(pipe) for pipe in pipes]


def receive(pipe: Connection) -> Any:
    """Return the next message of a process, None where there is none in time or the process has ended."""
    try:
        return pipe.recv() if pipe.poll(ANSWER_SECONDS) else None
    except (EOFError, OSError):
        return None
