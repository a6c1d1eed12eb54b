"""Memory: the most bytes that a trial took."""

import ctypes
import re
from contextlib import suppress
from pathlib import Path

import torch

_RESET_PEAK = (
    "5"  # Linux, proc(5): written to clear_refs, it sets the peak of the resident set to its present size
)


class Peak:
    """The most bytes taken since this was made.

    On CUDA: held by tensors on the device, those from before included. On the CPU: by how much the resident set of the
    whole process grew at most, which needs Linux. A process and a device have one peak: a newer Peak starts it anew.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start: int | None = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._start = _resident_from_now()

    @property
    def bytes(self) -> int | None:
        """Up to now; None where the system does not say, or forbids to start anew."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        peak = _status("VmHWM")
        return None if self._start is None or peak is None else max(0, peak - self._start)


def _resident_from_now() -> int | None:
    """Start the peak of the resident set anew, without what is free already; gives the resident bytes."""
    with suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> int | None:
    """A field of this process's status, in bytes."""
    with suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return 1024 * int(found[1]) if found else None
    return None
