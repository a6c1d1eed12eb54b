"""The slots that a study trains on: which devices, and how many networks share each."""

from __future__ import annotations

from typing import NamedTuple

from search.errors import StudyError
from search.workers.gpu_sharing import sharing
from trainer.system.cpu import usable_cores


class WorkerDevices(NamedTuple):
    """The slots of a study."""

    # of each slot, such as cpu, cpu or cuda:0, cuda:1
    devices: tuple[str, ...]
    # the reason for their number
    why: str


def worker_devices(
    device: str, workers: int | None, data_bytes: int, memory_bytes: int | None
) -> WorkerDevices:
    """Return the slots of a study whose images take `data_bytes` and whose networks may take `memory_bytes`.

    By default there is one slot for each core, or on each visible GPU as many as `gpu_sharing` measures. Raises
    StudyError where a device does not exist.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and gpus == 0):
        cores = usable_cores()
        return WorkerDevices(("cpu",) * (workers or cores), "as asked" if workers else "one for each core")
    if gpus == 0:
        raise StudyError(f"device is {device} and torch sees no GPU here; write `device: cpu` or auto")
    names = [f"cuda:{i}" for i in range(gpus)]
    if ":" in device:
        if device not in names:
            raise StudyError(f"device is {device} and torch sees {', '.join(names)}; name one of these")
        names = [device]
    if workers is not None:
        return WorkerDevices(tuple(names[i % len(names)] for i in range(workers)), "as asked")
    found = [sharing(name, data_bytes, memory_bytes) for name in names]
    fewest = min(found)
    return WorkerDevices(tuple(names * fewest.workers), fewest.why)
