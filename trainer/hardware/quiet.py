"""Quiet: the conditions under which a measurement of seconds is made."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from trainer.hardware.cache import folder
from trainer.system import file_lock
from trainer.system.cpu import pinned

PATIENCE_SECONDS = 60.0  # of waiting for another measurement, whose process may hang
AGAIN_SECONDS = 0.02


@contextmanager
def quiet(threads: int) -> Iterator[None]:
    """Measure alone: no other process of this user measures meanwhile, and this thread stays on the least busy cores.

    Trainings of other processes go on: to hold them up for each measurement would cost more than the noise they make.
    """
    with _turn(), pinned(threads):
        yield


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until no other process measures; one that cannot write to the cache does not wait."""
    place = folder() / "measuring.lock"
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = place.open("a")
    except OSError:
        yield
        return
    with lock:  # closing it releases the lock
        until = time.monotonic() + PATIENCE_SECONDS
        while not file_lock.lock(lock.fileno()) and time.monotonic() < until:
            time.sleep(AGAIN_SECONDS)
        yield
