"""Peak: the peak memory of a trial."""

import re
from contextlib import suppress
from pathlib import Path

import torch

from trainer.hardware.heap import used_bytes

# Linux, proc(5): written to clear_refs, it sets the peak of the resident set to its current size.
_RESET_PEAK = "5"


class Peak:
    """The peak of the memory in use since this object was made.

    On CUDA: the bytes of all tensors on the device, earlier ones included. On the CPU, which needs Linux: the growth of
    the resident set of the process, or of the blocks in use at a `sample`, whichever is larger. A short allocation is
    missed if it fits into memory that was free in the heap before. (Returning that memory to the system first would be
    exact, but too slow for a short trial.) A process and a device have one peak, which every new Peak resets.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start: int | None = 0
        self._used = self._most = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._start, self._used = _resident_from_now(), used_bytes()

    def sample(self) -> None:
        """Sample the blocks in use, at a point where many are."""
        if self._device.type != "cuda":
            self._most = max(self._most, used_bytes() - self._used)

    @property
    def bytes(self) -> int | None:
        """The peak so far; None if the system does not report it or forbids the reset."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        peak = _status("VmHWM")
        if self._start is None or peak is None:
            return None
        self.sample()
        return max(0, peak - self._start, self._most)


def _resident_from_now() -> int | None:
    """Reset the peak of the resident set, and return the resident bytes."""
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> int | None:
    """Return a field of this process's status, in bytes."""
    with suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return 1024 * int(found[1]) if found else None
    return None
