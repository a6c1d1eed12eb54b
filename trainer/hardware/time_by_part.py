"""TimeByPart: the device seconds of a training by part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

PARTS = ("build", "probe", "compile", "data", "forward", "backward", "step", "evaluation")


class TimeByPart:
    """Device seconds by part: on the CPU processor seconds of this thread.

    On CUDA they are measured by events, which are read at the end of an epoch without waiting.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._cuda = device.type == "cuda"
        self._events: list[tuple[str | None, torch.cuda.Event]] = []
        self._last = 0.0
        self._is_paused = False

    def begin(self) -> None:
        """Start the clock; earlier seconds belong to no part."""
        self._mark(None)

    def mark(self, part: str) -> None:
        """Charge the seconds since the last mark to a part."""
        self._mark(part)

    def settle(self) -> None:
        """Read the events of a CUDA device, which must have finished."""
        for (_, before), (part, event) in zip(self._events, self._events[1:], strict=False):
            if part is not None:
                self.seconds[part] += before.elapsed_time(event) / 1e3
        self._events.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, nothing is marked, because these events cannot be captured in a graph."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def _mark(self, part: str | None) -> None:
        if self._is_paused:
            return
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()  # type: ignore[no-untyped-call, unused-ignore]
            self._events.append((part, event))
            return
        now = time.thread_time()
        if part is not None:
            self.seconds[part] += now - self._last
        self._last = now
