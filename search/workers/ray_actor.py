"""The actor that runs one worker on a node of a Ray cluster: it starts the worker as a process beside itself.

The process is the same as on one machine: memory that runs out, a crash and a limit that is not kept are outcomes of
the trial alone, and the clock is read where the worker is.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from search.workers.engine import Lost, Message
from search.workers.local import Local
from search.workers.messages import Broken, Job, Screening, Setup, Task, Verdict


class Taken(NamedTuple):
    """What an actor answers: what its worker has sent, and the clock of the job."""

    messages: Sequence[Message]
    node: str
    # how many jobs the worker has begun, and the seconds of the last
    begun: int = 0
    seconds: float = 0.0
    # why the worker has died, if so
    lost: str | None = None


class RayActor:
    """One worker on a node, with the answers to a coordinator elsewhere. Its methods run in several threads."""

    def __init__(self, setup: Setup, mark: str) -> None:
        """mark: a file in the folder of the study, by which a node knows that it sees the folder."""
        import ray

        self.node: str = ray.get_runtime_context().get_node_id()
        self.engine = Local()
        self.begun = 0
        self.lock = threading.Lock()  # of the clock
        self.broken = _unseen(Path(mark))
        if self.broken is None:
            self.worker = self.engine.start(setup)

    def send(self, message: Task | Verdict) -> None:
        if self.broken is None:
            with self.lock:
                self.begun += isinstance(message, Job | Screening)
                self.worker.send(message)

    def halt(self) -> None:
        if self.broken is None:
            self.worker.halt()

    def take(self, seconds: float) -> Taken:
        """Return what the worker sends within so many seconds; nothing before that where it sends nothing."""
        if self.broken is not None:
            return Taken((self.broken,), self.node)
        is_heard = bool(self.engine.wait([self.worker], seconds))
        with self.lock:
            try:
                messages = self.worker.receive() if is_heard else ()
            except Lost as lost:
                return Taken((), self.node, self.begun, self.worker.elapsed_seconds(), str(lost))
            return Taken(messages, self.node, self.begun, self.worker.elapsed_seconds())


def _unseen(mark: Path) -> Broken | None:
    """Return why this node cannot train for the study: what it wrote would be on its own disk alone."""
    import ray

    if mark.exists():
        return None
    return Broken(
        f"{mark.parent} of the coordinator is not on node {ray.util.get_node_ip_address()} of the Ray cluster; put the "
        "folder of studies on a file system that all nodes share at one path, and name it with --runs"
    )
