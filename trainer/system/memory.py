"""Host memory: what is free, what this process takes, its peak, and a limit on its growth."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Linux, proc(5): written to clear_refs, it sets the peak of the resident set to its current size.
_RESET_PEAK = "5"


def available_bytes() -> int | None:
    """Return the bytes that the system could give to processes now; None if it does not report them."""
    try:
        return int(psutil.virtual_memory().available)
    except (OSError, psutil.Error):
        return None


def resident_bytes() -> int:
    """Return the bytes of this process that are in the main memory; 0 if the system does not report them."""
    try:
        return int(psutil.Process().memory_info().rss)
    except (OSError, psutil.Error):
        return 0


def reset_peak() -> bool:
    """Set the peak of `peak_bytes` to the present size; False if the system cannot do that, as all but Linux."""
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return peak_bytes() is not None


def peak_bytes() -> int | None:
    """Return the most bytes of this process that were in the main memory since `reset_peak`; None if unknown."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def limits_growth() -> bool:
    """Whether `growth_limit` has an effect. macOS accepts a limit and does not apply it; Windows has none."""
    return resource is not None and Path("/proc/self/statm").exists()


@contextmanager
def growth_limit(more_bytes: int) -> Iterator[None]:
    """Let the address space of this process grow by at most so much in the block; a larger allocation fails."""
    if not limits_growth():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + more_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (min(limit, hard) if hard != resource.RLIM_INFINITY else limit, hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
