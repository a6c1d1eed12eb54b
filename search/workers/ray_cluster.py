"""The Ray cluster of a study: the connection to it, and the slots that its nodes have room for."""

from __future__ import annotations

import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice, zip_longest
from typing import Any

from search.config.engine import EngineSetting
from search.errors import StudyError
from search.workers.slots import WorkerDevices
from trainer.system.cpu import usable_cores
from trainer.system.signals import STOPS, stops_blocked

ANSWER_SECONDS = 5.0  # in which the address of a cluster must take a connection
STORE_BYTES = 80 * 2**20  # of Ray's object store, which next to nothing passes through; Ray takes no less
OWN = "local"  # address of a cluster of this run alone


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster in this block, or to the one that the caller's script is connected to already.

    Raises StudyError, one sentence, where Ray is not installed or does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise StudyError(
            f"engine: ray needs Ray ({error}); install it with `pip install 'genome-nas[ray]'`"
        ) from None
    place = address or os.environ.get("RAY_ADDRESS") or OWN
    _check_answer(place)
    if ray.is_initialized():
        yield
        return
    try:
        with _own_signals():
            _connect(place)
    except Exception as error:  # Ray raises bare ones, for a cluster that does not start in time
        if _is_refused(error):
            raise StudyError(_no_token(place)) from None
        raise StudyError(_unanswered(place, " ".join(str(error).split())[:200])) from None
    try:
        yield
    finally:
        ray.shutdown()


def _connect(place: str) -> None:
    import ray

    # Ray tells its makers of each cluster that it starts, unless it is told not to
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"num_cpus": usable_cores(), "include_dashboard": False, "object_store_memory": STORE_BYTES}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own affairs
        ray.init(
            address=place,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(own if place == OWN else {}),
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at a signal, and keep the signals from the processes of a cluster of its own.

    Ray would end the process at SIGTERM, and its cluster would end before the workers have written their checkpoints.
    """
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        with stops_blocked():
            yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _check_answer(place: str) -> None:
    """Raise StudyError where nothing listens at host:port: Ray itself would try for minutes."""
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise StudyError(_unanswered(place, str(getattr(error, "strerror", None) or error))) from None


def _unanswered(place: str, why: str) -> str:
    return (
        f"no Ray cluster answers at {place} ({why}); start one with `ray start --head`, or correct `address` of the "
        "study's engine, --address or RAY_ADDRESS"
    )


def _is_refused(error: BaseException | None) -> bool:
    """Whether a cluster has refused a connection that has not its token."""
    while error is not None:
        if "AuthenticationError" in f"{type(error).__name__}: {error}":
            return True
        error = error.__cause__
    return False


def _no_token(place: str) -> str:
    return (
        f"the Ray cluster at {place} takes nobody who does not show its token; set RAY_AUTH_MODE=token, and "
        "RAY_AUTH_TOKEN_PATH to a file that holds the token of the cluster (~/.ray/auth_token where it was started)"
    )


def reserved_gpus(setting: EngineSetting, device: str) -> float:
    """Return the share of a GPU that each worker reserves, 0 where the study trains on CPUs.

    Raises StudyError where the study asks for a GPU and the cluster has none.
    """
    import ray

    if ":" in device:
        raise StudyError(f"device is {device}, and Ray chooses the GPU; write `device: cuda` or auto")
    if device == "cpu":
        return 0.0
    has_gpus = ray.cluster_resources().get("GPU", 0.0) > 0
    if setting.gpus is not None:
        return setting.gpus
    if device == "cuda" and not has_gpus:
        raise StudyError(
            "device is cuda, and no node of the Ray cluster has a GPU; write `device: cpu` or auto, or say `gpus` of "
            "the engine where nodes with GPUs are added later"
        )
    return 1.0 if has_gpus else 0.0


def cluster_devices(cpus: float, gpus: float, workers: int | None) -> WorkerDevices:
    """Return the slots of a study on the cluster: as many as asked, or as the nodes have room for.

    A device is a GPU, or the CPUs of a node. Where more slots are asked for than there is room, the rest waits until
    the cluster grows. Raises StudyError where there is no room for one.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    found = _in_turn([_slots_of(node, cpus, gpus) for node in nodes])
    if workers is None and not found:
        needs = f"{gpus:g} GPU and {cpus:g} CPU" if gpus else f"{cpus:g} CPU"
        raise StudyError(
            f"no node of the Ray cluster has room for a worker, which needs {needs}; change `cpus` and `gpus` of the "
            "engine, or say how many `workers` to wait for where the cluster grows"
        )
    if workers is None:
        return WorkerDevices(tuple(found), "the room of the Ray cluster")
    why = "as asked" if workers <= len(found) else f"as asked; the Ray cluster has room for {len(found)} now"
    return WorkerDevices((*found[:workers], *islice(_later(gpus), max(workers - len(found), 0))), why)


def _slots_of(node: Mapping[str, Any], cpus: float, gpus: float) -> list[str]:
    """Return the device of each slot that a node has room for."""
    has, name = node["Resources"], node["NodeManagerAddress"]
    room = int(has.get("CPU", 0.0) / cpus)
    if not gpus:  # workers that share a core are charged as if each had its own
        return [f"CPU of {name}"] * min(room, int(has.get("CPU", 0.0)))
    on_each = int(1 / gpus)
    return [f"GPU {gpu} of {name}" for _ in range(on_each) for gpu in range(int(has.get("GPU", 0.0)))][:room]


def _in_turn(slots: Sequence[Sequence[str]]) -> list[str]:
    """Return the slots of all nodes, one of each node first: Ray spreads the workers like that."""
    return [name for turn in zip_longest(*slots) for name in turn if name is not None]


def _later(gpus: float) -> Iterator[str]:
    """Yield the devices of slots for which there is no room yet."""
    on_each = int(1 / gpus) if gpus else 1
    for number in count():
        yield from [f"a later {'GPU' if gpus else 'CPU'} {number}"] * on_each
