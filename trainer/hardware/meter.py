"""Meter: the seconds charged to a trial. Pace: how far the host may run ahead of the device."""

import time
from collections import deque
from types import TracebackType

import torch

from trainer.hardware.clock import device_seconds, running_seconds

STEPS_AHEAD = 2


class Meter:
    """A stop-watch of device seconds: runs inside `with meter:`, and synchronises a CUDA device at its start and end.

    A device second of the CPU is a processor second of the thread that trains, which other threads of torch assist
    (`trainer.hardware.clock.device_seconds`). A device second of a GPU is a second of the clock; those in which the
    process stood still are left out (`trainer.hardware.clock`). One thread uses a meter.
    started: seconds already charged, for instance for building the module.
    """

    def __init__(self, device: str | torch.device = "cpu", started: float = 0.0) -> None:
        self._device = torch.device(device)
        self._charged = started
        self._since: tuple[float, float] | None = None  # running and processor seconds

    @property
    def seconds(self) -> float:
        """Seconds charged so far. Not synchronised: inside `with meter:` it may be two steps early on CUDA."""
        return self._charged + (0.0 if self._since is None else self._elapsed(*self._since))

    def read(self) -> float:
        """Wait for the device and return the seconds charged so far."""
        synchronize(self._device)
        return self.seconds

    def add(self, seconds: float) -> None:
        """Charge seconds that an earlier process spent on the same training."""
        self._charged += seconds

    def __enter__(self) -> "Meter":
        if self._since is not None:
            raise RuntimeError("the meter runs already")
        synchronize(self._device)
        self._since = running_seconds(), time.thread_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            synchronize(self._device)
        finally:
            self._charged, self._since = self.seconds, None

    def _elapsed(self, running: float, processor: float) -> float:
        running = running_seconds() - running
        if self._device.type != "cpu":
            return running
        return device_seconds(running, time.thread_time() - processor)


class Pace:
    """Keeps the host at most two steps ahead of a CUDA device, so that host clocks between steps are nearly right.

    Waiting for an earlier step keeps the device busy; a synchronisation at each step would not.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._events: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """Record a launched step, and wait for the step two before it."""
        if not self._cuda:
            return
        event = torch.cuda.Event()  # type: ignore[no-untyped-call, unused-ignore]
        event.record()
        self._events.append(event)
        if len(self._events) > STEPS_AHEAD:
            self._events.popleft().synchronize()


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all launched work; does nothing on the CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
