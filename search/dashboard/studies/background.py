"""A task that runs in a thread of its own while requests wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import BoundedSemaphore, Event, Lock, Thread

AT_ONCE = BoundedSemaphore(2)  # more threads would only slow each other and the pages down
OLD_SECONDS = 3.0  # after which an error is not reported any more: the task runs again


class BackgroundTask:
    """A task in a thread of its own. All callers that ask while the task runs wait for the same run."""

    def __init__(self, task: Callable[[], object]) -> None:
        self.task = task
        self._lock = Lock()
        self._run: TaskRun | None = None

    def is_done(self, seconds: float) -> bool:
        """Wait for the task for at most `seconds` and return whether it ended. Raises the task's error, once."""
        run = self._current()
        if not run.ended.wait(seconds):
            return False
        with self._lock:
            if self._run is run:
                self._run = None
        if run.error is not None:
            raise run.error
        return True

    def _current(self) -> TaskRun:
        with self._lock:
            if self._run is None or self._run.is_old():
                self._run = TaskRun(self.task)
            return self._run


class TaskRun:
    """One run of a task."""

    def __init__(self, task: Callable[[], object]) -> None:
        self.ended = Event()
        self.error: Exception | None = None
        self._ended_at = 0.0
        Thread(target=self._do, args=(task,), daemon=True).start()

    def is_old(self) -> bool:
        """Return whether the run ended so long ago that its result does not count."""
        return self.ended.is_set() and time.monotonic() - self._ended_at > OLD_SECONDS

    def _do(self, task: Callable[[], object]) -> None:
        try:
            with AT_ONCE:
                task()
        except Exception as error:
            self.error = error
        self._ended_at = time.monotonic()
        self.ended.set()
