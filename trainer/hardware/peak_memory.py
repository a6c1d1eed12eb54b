"""Memory: the most bytes that a trial took."""

import re
from contextlib import suppress
from pathlib import Path

import torch

from trainer.hardware.heap import used_bytes

_RESET_PEAK = (
    "5"  # Linux, proc(5): written to clear_refs, it sets the peak of the resident set to its present size
)


class Peak:
    """The most bytes taken since this was made.

    On CUDA: held by tensors on the device, those from before included. On the CPU, which needs Linux: by how much
    the resident set of the whole process grew at most, or the blocks in use at one of the `sample`s, whichever is
    more. What an operation takes for a moment is missed where it fits into what was free in the heap before. (To give
    that back to the system first would be exact, and cost the first steps more than a short trial can spare.) A
    process and a device have one peak: a newer Peak starts it anew.
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
        """Look at the blocks in use, where many are."""
        if self._device.type != "cuda":
            self._most = max(self._most, used_bytes() - self._used)

    @property
    def bytes(self) -> int | None:
        """Up to now; None where the system does not say, or forbids to start anew."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        peak = _status("VmHWM")
        if self._start is None or peak is None:
            return None
        self.sample()
        return max(0, peak - self._start, self._most)


def _resident_from_now() -> int | None:
    """Start the peak of the resident set anew; gives the resident bytes."""
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
