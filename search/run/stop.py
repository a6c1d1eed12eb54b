"""The wish that a run of a study ends: a signal, or what somebody wrote into its storage, such as the dashboard."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from search.storage.store import Store

STOP = "stop_asked"  # attribute of a study: unix seconds at which its runs were asked to end
LOOK_SECONDS = 2.0  # from one look into the storage to the next
SHARE = 0.02  # of the time, that looking takes at most


def ask_to_stop(store: Store) -> None:
    """Ask all that run a study now to end, as Ctrl-C does."""
    store.study.set_user_attr(STOP, time.time())


class StopRequest:
    """Whether a run shall end. What was asked before it began was asked of an earlier run.

    by_signal: whether a signal asked for it.  began: unix seconds before the run took its lock; from then on it is
    seen to run, and may be asked to stop, though it still reads its data.
    """

    def __init__(self, store: Store, by_signal: Callable[[], bool], began: float) -> None:
        self._store, self._by_signal = store, by_signal
        kept = self._kept()
        is_ours = not store.shared and isinstance(kept, int | float) and kept >= began
        self._before = None if is_ours else kept  # a shared storage has the times of other machines, too
        self._is_asked = False
        self._next = time.monotonic() + LOOK_SECONDS

    def __call__(self) -> bool:
        if not self._is_asked and not self._by_signal() and time.monotonic() >= self._next:
            began = time.monotonic()
            self._is_asked = self._kept() != self._before
            ended = time.monotonic()
            self._next = ended + max(LOOK_SECONDS, (ended - began) / SHARE)
        return self._is_asked or self._by_signal()

    def _kept(self) -> Any:
        return self._store.study.user_attrs.get(STOP)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a stop was asked for; the former handlers come back at the end.

    Noting instead of raising keeps a signal from falling into the middle of a transaction.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # only the main thread may set handlers
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
