"""The processor: its name, and the cores that this process may use."""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

LOOK_SECONDS = 0.1  # in which the use of the cores is seen


def usable_cores() -> int:
    """Return the number of cores on which the system lets this process run, at least 1."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # macOS has none: a process may run on every core
        return max(1, len(process.cpu_affinity()))
    return psutil.cpu_count() or 1


def cpu_name() -> str:
    """Return the model of the processor, or its architecture where the system does not tell the model."""
    return cpu_fields().get("model name") or platform.processor() or platform.machine()


@cache
def cpu_fields() -> Mapping[str, str]:
    """Return what Linux reports of the first core, such as `model name`; empty elsewhere."""
    fields: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields


@contextmanager
def pinned(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep this thread, and processes and threads that it starts, on the least busy cores, and give their numbers.

    They are the cores that were used least in the last tenth of a second, as many as there are threads. Where the
    system knows no affinity, as macOS, or has too few cores, nothing is kept and no number is given.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if threads > len(allowed):
        yield ()
        return
    used = psutil.cpu_percent(LOOK_SECONDS, percpu=True)
    order = sorted(allowed, key=lambda core: used[core] if core < len(used) else 0.0)
    cores = tuple(sorted(order[:threads]))
    os.sched_setaffinity(0, cores)
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, allowed)
