"""What the workers of a run get when they start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.study import StudyConfig
from search.workers.messages import Setup
from trainer.data.tree import CACHE

if TYPE_CHECKING:
    from trainer import Data

# A heap that keeps freed memory has gaps. Under a memory limit below this, a trial may need the memory in the gaps.
ROOMY_BYTES = 2**30


def cache(runs: Path) -> str:
    """Return the folder of decoded images, which the studies of one folder share."""
    return str((runs / CACHE).absolute())


def data_bytes(data: Data) -> int:
    return sum(split.x.nbytes + split.y.nbytes for split in (data.train, data.valid, data.test))


def setups(config: StudyConfig, runs: Path, images: Data, devices: Sequence[str]) -> list[Setup]:
    """Return the setup of the worker of each slot, given its device. images: as the coordinator has read them."""
    data, memory = config.data, config.budget.memory
    setup = Setup(
        data.name,
        data.root,
        data.reading,
        data.mirror,
        device="cpu",
        threads=1,
        folds=data.folds,
        keeps_pages=memory is None or memory >= ROOMY_BYTES,
        images=images.place,
        cache=cache(runs) if images.folds else None,
    )
    return [setup._replace(device=device) for device in devices]
