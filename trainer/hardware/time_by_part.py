"""Parts: where the seconds of a training go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

PARTS = ("build", "probe", "compile", "data", "forward", "backward", "step", "evaluation")


class Parts:
    """Seconds by part. On CUDA the device's own clock, read when an epoch is over, so that nothing waits for it."""

    def __init__(self, device: torch.device) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._cuda = device.type == "cuda"
        self._events: list[tuple[str | None, torch.cuda.Event]] = []
        self._last = 0.0
        self._is_paused = False

    def begin(self) -> None:
        """Start the clock: what came before belongs to no part."""
        self._mark(None)

    def mark(self, part: str) -> None:
        """Charge what passed since the last mark to a part."""
        self._mark(part)

    def settle(self) -> None:
        """Read the device's clock, which must have done all it was given."""
        for (_, before), (part, event) in zip(self._events, self._events[1:], strict=False):
            if part is not None:
                self.seconds[part] += before.elapsed_time(event) / 1e3
        self._events.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, nothing is marked: a clock's events cannot be captured in a graph."""
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
        now = time.perf_counter()
        if part is not None:
            self.seconds[part] += now - self._last
        self._last = now
