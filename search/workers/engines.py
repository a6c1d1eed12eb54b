"""The engine of a study and its slots, opened by the setting of the study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.config.engine import LOCAL, EngineSetting
from search.workers.engine import Engine
from search.workers.local import Local
from search.workers.slots import WorkerDevices, worker_devices


@contextmanager
def opened_engine(
    setting: EngineSetting,
    device: str,
    workers: int | None,
    folder: Path,
    owner: str,
    data_bytes: int,
    memory_bytes: int | None,
) -> Iterator[tuple[Engine, WorkerDevices]]:
    """Yield what runs the workers of a study, and its slots. folder: that of the study.

    owner: the name of this coordinator. data_bytes, memory_bytes: of the images, and of a network at most.
    Raises StudyError.
    """
    if setting.name == LOCAL:
        yield Local(), worker_devices(device, workers, data_bytes, memory_bytes)
        return
    from search.workers import ray_cluster
    from search.workers.ray_engine import Ray

    with ray_cluster.connected(setting.address):
        gpus = ray_cluster.reserved_gpus(setting, device)
        slots = ray_cluster.cluster_devices(setting.cpus, gpus, workers)
        engine = Ray(setting.cpus, gpus, folder, len(slots.devices), owner)
        try:
            yield engine, slots
        finally:
            engine.mark.unlink(missing_ok=True)
