"""The signals by which a user or a batch system ends a run. They reach every process; the coordinator alone acts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

# Ctrl-C; `kill`, `timeout`, systemd and batch systems; a terminal that closes, and what batch systems send ahead of a
# time limit or a preemption (both unknown to Windows)
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
STOPS = tuple(signal.Signals[name] for name in NAMES if hasattr(signal, name))


def ignore_stops() -> None:
    """Ignore in this process what ends a run: the coordinator asks for checkpoints, then ends its workers."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stops_blocked() -> Iterator[None]:
    """Keep these signals from processes started in this block, also afterwards; ours come at its end.

    Windows cannot hold them back.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # multiprocessing starts its resource tracker with the first process, and lets SIGINT and SIGTERM through as it does
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
