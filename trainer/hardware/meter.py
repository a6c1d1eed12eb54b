"""Meter: seconds charged to a trial. Pace: how far the host may run ahead of the device."""

import time
from collections import deque
from types import TracebackType

import torch

STEPS_AHEAD = 2


class Meter:
    """A stop-watch of device seconds: counts inside `with meter:`, and synchronises a CUDA device there.

    started: seconds already charged, for instance for building the module.
    """

    def __init__(self, device: str | torch.device = "cpu", started: float = 0.0) -> None:
        self._device = torch.device(device)
        self._charged = started
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Charged so far. Does not synchronise: inside `with meter:` it may be two steps early on CUDA."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._charged + running

    def read(self) -> float:
        """Charged so far, once the device has done all it was given."""
        synchronize(self._device)
        return self.seconds

    def add(self, seconds: float) -> None:
        """Charge what another process spent on the same training before."""
        self._charged += seconds

    def __enter__(self) -> "Meter":
        if self._since is not None:
            raise RuntimeError("the meter runs already")
        synchronize(self._device)
        self._since = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            synchronize(self._device)
        finally:
            self._charged, self._since = self.seconds, None


class Pace:
    """Keeps the host at most two steps ahead of a CUDA device, so that a clock between steps is nearly true.

    Waiting for the step before the last leaves the device busy; a synchronisation at each step would not.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._events: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """Say that a step was given to the device; waits for the one two steps before."""
        if not self._cuda:
            return
        event = torch.cuda.Event()  # type: ignore[no-untyped-call, unused-ignore]
        event.record()
        self._events.append(event)
        if len(self._events) > STEPS_AHEAD:
            self._events.popleft().synchronize()


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given; nothing to do on the CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
