"""The processor: its name, and the cores that this process may use."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil


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
