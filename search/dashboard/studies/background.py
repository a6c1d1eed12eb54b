"""Work that is done beside the requests that wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import BoundedSemaphore, Event, Lock, Thread

AT_ONCE = BoundedSemaphore(2)  # more would only take the interpreter from each other, and from the pages
OLD_SECONDS = 3.0  # an error so old is no answer any more


class BackgroundTask:
    """A piece of work in a thread of its own; who asks again while it is done waits for the same one."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self._lock = Lock()
        self._run: Attempt | None = None

    def is_done(self, seconds: float) -> bool:
        """Wait for so long; whether it was done by then. Raises what it raised, once."""
        run = self._current()
        if not run.ended.wait(seconds):
            return False
        with self._lock:
            if self._run is run:
                self._run = None
        if run.error is not None:
            raise run.error
        return True

    def _current(self) -> Attempt:
        with self._lock:
            if self._run is None or self._run.is_old():
                self._run = Attempt(self.work)
            return self._run


class Attempt:
    """One time that it is done."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.ended = Event()
        self.error: Exception | None = None
        self._ended_at = 0.0
        Thread(target=self._do, args=(work,), daemon=True).start()

    def is_old(self) -> bool:
        return self.ended.is_set() and time.monotonic() - self._ended_at > OLD_SECONDS

    def _do(self, work: Callable[[], object]) -> None:
        try:
            with AT_ONCE:
                work()
        except Exception as error:
            self.error = error
        self._ended_at = time.monotonic()
        self.ended.set()
