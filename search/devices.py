"""The slots that a study trains on: which devices, and how many networks share each."""

from __future__ import annotations

import os

from .errors import StudyError


def slots(device: str, workers: int | None) -> list[str]:
    """Return the device of each slot, such as ["cpu", "cpu"] or ["cuda:0", "cuda:1"].

    By default one slot for each core, or for each visible GPU. Raises StudyError where a device is absent.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and gpus == 0):
        return ["cpu"] * (workers or len(os.sched_getaffinity(0)))
    if gpus == 0:
        raise StudyError(f"device is {device} and torch sees no GPU here; write `device: cpu` or auto")
    names = [f"cuda:{i}" for i in range(gpus)]
    if ":" in device:
        if device not in names:
            raise StudyError(f"device is {device} and torch sees {', '.join(names)}; name one of these")
        names = [device]
    return [names[i % len(names)] for i in range(workers or len(names))]
