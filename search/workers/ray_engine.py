"""Workers on a Ray cluster: one actor each. Ray finds them a place, watches over their nodes and carries messages.

The coordinator stays one process, and the pool is that of one machine: an actor that dies with its node is a worker
that died.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.errors import StudyError
from search.workers.engine import Lost, Message
from search.workers.messages import Job, Screening, Setup, Task, Verdict
from search.workers.ray_actor import RayActor, Taken
from search.workers.ray_mark import new_mark

POLL_SECONDS = 0.5  # after which an actor answers although its worker has sent nothing: the clock is so late
THREADS = 4  # of an actor: one waits for the worker, one gives it a message
LOSSES = 5  # workers that may die one after another, beside those that die with their nodes


class RayWorker:
    """One worker on the cluster."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.answer = actor.take.remote(0.0)
        self.node: str | None = None  # where it is, once it has a place
        self.inbox: list[Message] = []
        self.lost: Lost | None = None
        self.begun, self.seconds = 0, 0.0  # jobs that it was given, and the clock of the last

    @property
    def is_placed(self) -> bool:
        return self.node is not None

    def is_alive(self) -> bool:
        return self.lost is None

    def send(self, message: Task | Verdict) -> None:
        if isinstance(message, Job | Screening):
            self.begun, self.seconds = self.begun + 1, 0.0
        self.actor.send.remote(_absolute(message) if isinstance(message, Job) else message)

    def halt(self) -> None:
        self.actor.halt.remote()

    def receive(self) -> Sequence[Message]:
        found, self.inbox = self.inbox, []
        if not found and self.lost is not None:
            raise self.lost
        return found

    def elapsed_seconds(self) -> float:
        return self.seconds

    def hear(self, taken: Taken) -> None:
        """Note what the actor answered, and ask again."""
        self.node = taken.node
        self.inbox.extend(taken.messages)
        if taken.begun == self.begun:
            self.seconds = taken.seconds
        if taken.lost is not None:
            self.lost = Lost(taken.lost)
        else:
            self.answer = self.actor.take.remote(POLL_SECONDS)


class Ray:
    """The engine of a Ray cluster, to which this process is connected."""

    def __init__(self, cpus: float, gpus: float, folder: Path, workers: int, owner: str) -> None:
        """folder: that of the study, on a file system that all nodes share.  owner: the name of this coordinator."""
        self.losses_in_a_row = LOSSES + 2 * workers  # a node that dies ends all of its workers
        self._options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_concurrency": THREADS,
            "scheduling_strategy": "SPREAD",
        }
        self._device = "cuda:0" if gpus else "cpu"  # Ray shows an actor its own GPUs alone
        self.mark = new_mark(folder, owner)  # see `RayActor`; of this coordinator alone

    def start(self, setup: Setup) -> RayWorker:
        import ray

        there = setup._replace(
            device=self._device,
            root=setup.root and os.path.abspath(setup.root),
            images=setup.images and setup.images.absolute(),
            cache=setup.cache and os.path.abspath(setup.cache),
        )
        actor = ray.remote(RayActor).options(**self._options)
        return RayWorker(actor.remote(there, str(self.mark)))

    def wait(self, workers: Sequence[RayWorker], timeout_seconds: float) -> Sequence[RayWorker]:
        import ray

        until = time.monotonic() + timeout_seconds
        while not (heard := [worker for worker in workers if worker.inbox or worker.lost]):
            left = max(until - time.monotonic(), 0.0)
            answers = {worker.answer: worker for worker in workers}
            done, _ = ray.wait(list(answers), num_returns=1, timeout=left)
            if not done:
                break
            done, _ = ray.wait(list(answers), num_returns=len(answers), timeout=0)
            for answer in done:
                _hear(answers[answer], answer)
        return heard

    def end(self, workers: Sequence[RayWorker]) -> None:
        import ray

        for worker in workers:
            ray.kill(worker.actor)


def _hear(worker: RayWorker, answer: Any) -> None:
    """Take the answer of an actor, or its death."""
    import ray

    try:
        worker.hear(ray.get(answer))
    except ray.exceptions.RayActorError as error:
        if error.actor_init_failed:
            raise StudyError(
                f"no worker can start on the Ray cluster ({_last_line(error)}); install the same genome-nas, with the "
                "extras of this study, on every node"
            ) from None
        worker.lost = _death(worker, error)


def _death(worker: RayWorker, error: Any) -> Lost:
    """Return why an actor died."""
    import ray

    node = next((one for one in ray.nodes() if one["NodeID"] == worker.node), None)
    place = f" {node['NodeManagerAddress']}" if node else ""
    if error.preempted or (node is not None and not node["Alive"]) or not _is_dead(error):
        return Lost(f"its node{place} left the Ray cluster", by_machine=True)
    return Lost(f"its process on node{place} ended (out of memory?)")


def _is_dead(error: Any) -> bool:
    """Whether the actor is known to be dead, not just out of reach."""
    import ray

    return isinstance(error, ray.exceptions.ActorDiedError)


def _last_line(error: Exception) -> str:
    return [line.strip() for line in str(error).splitlines() if line.strip()][-1]


def _absolute(job: Job) -> Job:
    """Return a job with the paths that lead to its folders from any working directory."""
    return job._replace(
        folder=os.path.abspath(job.folder),
        earlier=tuple(map(os.path.abspath, job.earlier)),
        parent=job.parent and os.path.abspath(job.parent),
    )
