"""The clocks by which work is charged: seconds in which this process ran, and device seconds of the CPU.

The clock of a process stands still while the process does, suspended by Ctrl-Z or a batch system.

A thread ticks ten times a second. Where no tick came for three seconds although the process was not computing, the
process stood still and the time does not count. A long step of a training counts: torch lets other threads run
meanwhile, and code that does not uses the processor. A pause below three seconds counts, too.
"""

import os
import threading
import time

TICK_SECONDS = 0.1
STILL_SECONDS = 3.0  # without a tick
LEAST_SHARE = 0.1  # of the running seconds are charged on a CPU, so that a training that only waits ends, too
BUSY_SHARE = 0.2  # of the time without a tick, in processor seconds: the process was at work


class Clock:
    """Seconds of `time.perf_counter` without those in which the process stood still; it has a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._still_seconds = 0.0
        self._ticked = self._worked = 0.0
        if hasattr(os, "register_at_fork"):  # unknown to Windows
            os.register_at_fork(after_in_child=self._in_fork)

    def seconds(self) -> float:
        """Return the seconds since an arbitrary moment; never less than before."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._start()
            now = time.perf_counter()
            if now - self._ticked > STILL_SECONDS:  # the thread has not seen it yet
                self._tick(now)
            return now - self._still_seconds

    def _in_fork(self) -> None:
        """Take a new lock: the thread, which a fork does not have, may have held the former one."""
        self._lock = threading.Lock()

    def _start(self) -> None:
        self._ticked, self._worked = time.perf_counter(), time.process_time()
        self._thread = threading.Thread(target=self._run, daemon=True, name="clock")
        self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            with self._lock:
                self._tick(time.perf_counter())

    def _tick(self, now: float) -> None:
        gap, worked = now - self._ticked, time.process_time()
        if gap > STILL_SECONDS and worked - self._worked < BUSY_SHARE * gap:
            self._still_seconds += gap
        self._ticked, self._worked = now, worked


def device_seconds(running: float, processor: float) -> float:
    """Return the seconds charged for work on the CPU, given its running seconds and its processor seconds.

    Neighbours on the machine make the work take longer and use no more of the processor.
    """
    return max(processor, LEAST_SHARE * running)


_CLOCK = Clock()


def running_seconds() -> float:
    """Return the seconds since an arbitrary moment, without those in which this process stood still."""
    return _CLOCK.seconds()
