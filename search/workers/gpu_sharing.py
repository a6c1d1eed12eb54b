"""Sharing: how many networks a GPU trains at once, by its free memory and by what was measured on it.

A small network leaves most of a GPU idle, since the host cannot launch its kernels fast enough. Several
processes fill it, up to a number that depends on device and host, and so is measured: once, and remembered.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from search.workers.messages import DeviceState
from search.workers.pool import prepare, without_main
from trainer.hardware.cache import recall, remember

VERSION = 1  # of what is measured: another number has all rates measured again
MOST = 4  # workers on one device
CONTEXT_BYTES = 600 * 2**20  # that CUDA takes in each process
WITHIN = 0.9  # of the best throughput: fewer workers that reach it leave more room to each
WARM_UP_SECONDS = 0.3  # of training that is not counted
ANSWER_SECONDS = 120.0  # in which a process must have said something


class Sharing(NamedTuple):
    """So many workers on one device, and why, as the end of a sentence."""

    workers: int
    why: str


def decide(free_bytes: int, needed_bytes: int, rates: Sequence[float]) -> Sharing:
    """How many workers a device gets: each needs so many bytes; rates[i] is the throughput of i + 1 at once."""
    fitting = max(1, min(MOST, free_bytes // needed_bytes))
    known = rates[:fitting]
    if fitting == 1 or not known:
        return Sharing(1, "no more have room in its memory" if fitting == 1 else "nothing was measured")
    best = max(known)
    workers = next(i + 1 for i, rate in enumerate(known) if rate >= WITHIN * best)
    said = ", ".join(f"{rate / known[0]:.2f}" for rate in known)
    return Sharing(workers, f"1 to {len(known)} at once have a throughput of {said} here")


def bytes_per_worker(free_bytes: int, data_bytes: int, memory_bytes: int | None) -> int:
    """Bytes for one worker: CUDA's own, the images, and the network, by default what leaves room for four."""
    fixed = CONTEXT_BYTES + data_bytes
    return fixed + memory_bytes if memory_bytes is not None else max(free_bytes // MOST, 2 * fixed)


def sharing(device: str, data_bytes: int, memory_bytes: int | None) -> Sharing:
    """Return how many workers the device feeds. Measures that in some seconds where nobody did before."""
    with benchmark_processes(device, 1) as pipes:
        room = receive(pipes[0])
    if not isinstance(room, DeviceState):
        return Sharing(1, "it could not be measured")
    each = bytes_per_worker(room.free_bytes, data_bytes, memory_bytes)
    has_room = room.free_bytes // each > 1
    return decide(room.free_bytes, each, rates(device, room.machine) if has_room else [])


def rates(device: str, machine: str) -> list[float]:
    """Images a second of 1, 2, ... processes at once, as remembered, or measured now."""
    key = f"sharing {VERSION}, {machine}"
    known: list[float] | None = recall(key)
    if known is None:
        known = measured(device, MOST)
        remember(key, known)
    return known


def measured(device: str, most: int, seconds: float = 1.0) -> list[float]:
    """Images a second that 1, 2, ... `most` processes train together on the device, each for so many seconds.

    Fewer where not so many can work there.
    """
    with benchmark_processes(device, most) as pipes:
        able = [pipe for pipe in pipes if receive(pipe) is not None]
        train_at_once(able, WARM_UP_SECONDS)
        found: list[float] = []
        for count in range(1, len(able) + 1):
            said = train_at_once(able[:count], seconds)
            if None in said:
                break
            found.append(sum(said))
    return found


@contextmanager
def benchmark_processes(device: str, count: int) -> Iterator[list[Connection]]:
    """Processes that gauge a device, by their pipes; the coordinator needs no CUDA of its own for it."""
    prepare()
    context = multiprocessing.get_context("forkserver")
    pairs = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_serve, args=(theirs, device), daemon=True) for _, theirs in pairs]
    try:
        with without_main():
            for process in processes:
                process.start()
        for _, theirs in pairs:
            theirs.close()
        yield [ours for ours, _ in pairs]
    finally:
        for (ours, _), process in zip(pairs, processes, strict=True):
            ours.close()
            process.kill()
            process.join()


def _serve(pipe: Connection, device: str) -> None:
    from search.workers.gpu_benchmark import (
        serve,  # torch and all: loaded in the fork server, never in the coordinator
    )

    serve(pipe, device)


def train_at_once(pipes: Sequence[Connection], seconds: float) -> list[Any]:
    """Let these processes train at once; images a second of each, None of one that failed."""
    for pipe in pipes:
        with suppress(OSError):
            pipe.send(seconds)
    return [receive(pipe) for pipe in pipes]


def receive(pipe: Connection) -> Any:
    """Return what a process says next, None where it says nothing any more."""
    try:
        return pipe.recv() if pipe.poll(ANSWER_SECONDS) else None
    except (EOFError, OSError):
        return None
