"""Imported by the fork server alone. It was started with the signals blocked that end a run, and outlives them.

A process has one fork server, also for processes that a user's script starts with it. These get the signals again.
"""

from __future__ import annotations

import signal
from multiprocessing import util

from trainer.system.signals import STOPS


class Child:
    """A process that the fork server starts."""

    def receive_stops(self) -> None:
        """Receive the signals that were blocked in the fork server. A worker ignores them from then on."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


CHILD = Child()
util.register_after_fork(CHILD, Child.receive_stops)
