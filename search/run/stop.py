"""Stop requests: a run of a study ends early by a signal, or by an attribute that the dashboard stores."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from search.storage.study import Store
from trainer.system.signals import STOPS

STOP = "stop_asked"  # attribute of a study: unix seconds at which its runs were asked to end
POLL_SECONDS = 2.0  # from one reading of the storage to the next
MOST_SHARE = 0.02  # of wall time that may be spent reading the storage
OUTPUTS = (1, 2)  # file descriptors of standard output and standard error
SAME_SECONDS = 1.0  # after a first SIGINT, in which a second is the same request: `timeout` sends two at once


def ask_to_stop(store: Store) -> None:
    """Request that all runs of a study end now, as Ctrl-C does."""
    store.study.set_user_attr(STOP, time.time())


class StopRequest:
    """Whether a run shall end. A request that was stored before the run began concerns an earlier run."""

    def __init__(self, store: Store, by_signal: Callable[[], bool], began: float) -> None:
        """Prepare to poll `store` and `by_signal`.

        by_signal: whether a signal asked for the stop.
        began: unix seconds before the run took its lock. From then on others see the study running and may request a
        stop, while the run still reads its data.
        """
        self._store, self._by_signal = store, by_signal
        stored = self._stored()
        is_ours = not store.shared and isinstance(stored, int | float) and stored >= began
        self._before = None if is_ours else stored  # on a shared storage the clocks of machines differ
        self._is_requested = False
        self._next = time.monotonic() + POLL_SECONDS

    def __call__(self) -> bool:
        if not self._is_requested and not self._by_signal() and time.monotonic() >= self._next:
            began = time.monotonic()
            self._is_requested = self._stored() != self._before
            ended = time.monotonic()
            self._next = ended + max(POLL_SECONDS, (ended - began) / MOST_SHARE)
        return self._is_requested or self._by_signal()

    def _stored(self) -> Any:
        return self._store.study.user_attrs.get(STOP)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether one of `STOPS` came; restore the former handlers at the end.

    The handler sets a flag and does not raise, so that a signal does not break a transaction. Only a second Ctrl-C
    raises KeyboardInterrupt. SIGHUP stays ignored under `nohup`, and SIGUSR1 stays a script's that handles it.
    """
    received = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield received.is_set  # only the main thread may set handlers
        return

    first = 0.0  # time.monotonic() of the first signal
    terminals = [stream for stream in OUTPUTS if os.isatty(stream)]

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal first
        _discard_output([stream for stream in terminals if not os.isatty(stream)])
        if not received.is_set():
            first = time.monotonic()
            received.set()
        elif number == signal.SIGINT and time.monotonic() - first > SAME_SECONDS:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, receive) for number in STOPS if not _is_taken(number)}
    try:
        yield received.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _discard_output(closed: Sequence[int]) -> None:
    """Let what is still written to a terminal that has closed go nowhere: a failed write would break the ending."""
    for stream in closed:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream)
        os.close(nowhere)


def _is_taken(number: signal.Signals) -> bool:
    """Whether a signal has another meaning here: the run shall outlive its terminal, or a script uses the signal.

    A shell ignores SIGINT, too, for what it starts in the background.
    """
    handler = signal.getsignal(number)
    is_nohup = number.name == "SIGHUP" and handler is signal.SIG_IGN
    return is_nohup or (number.name == "SIGUSR1" and handler is not signal.SIG_DFL)
