"""Peak: the peak memory of a trial."""

import torch

from trainer.hardware.heap import used_bytes
from trainer.system.memory import peak_bytes, reset_peak, resident_bytes


class Peak:
    """The peak of the memory in use since this object was made.

    On CUDA: the bytes of all tensors on the device, earlier ones included. On the CPU: the growth of the resident set
    of the process, or of the blocks in use at a `sample`, whichever is larger. A short allocation is missed if it fits
    into memory that was free in the heap before. (Returning that memory to the system first would be exact, but too
    slow for a short trial.) Where the system keeps no peak that can be reset, as all but Linux, the resident set is
    read at samples only. A process and a device have one peak, which every new Peak resets.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = self._used = self._most = 0
        self._is_exact = True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            self._is_exact = reset_peak()
            self._start, self._used = resident_bytes(), used_bytes()

    def sample(self) -> None:
        """Sample the blocks in use, at a point where many are."""
        if self._device.type == "cuda":
            return
        self._most = max(self._most, used_bytes() - self._used)
        if not self._is_exact:
            self._most = max(self._most, resident_bytes() - self._start)

    @property
    def bytes(self) -> int:
        """The peak so far."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        self.sample()
        peak = peak_bytes() if self._is_exact else None
        return max(self._most, (peak or 0) - self._start)
