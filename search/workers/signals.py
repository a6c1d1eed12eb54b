"""The signals by which a user or a batch system ends a run. They reach every process; the coordinator alone acts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Ctrl-C; `kill`, `timeout`, systemd and batch systems; a terminal that closes (unknown to Windows)
STOPS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def leave_stops_to_the_coordinator() -> None:
    """Ignore in this process what ends a run: the coordinator asks for checkpoints, then ends its workers."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stops_blocked() -> Iterator[None]:
    """Keep these signals from processes started in this block, also afterwards; ours come at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
