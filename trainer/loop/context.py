"""Setting: what a training has around it, beside module, data and recipe."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from trainer.budget import Budget
from trainer.hardware.meter import Meter
from trainer.hardware.peak_memory import Peak
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import Parts
from trainer.loop.checkpoint import Checkpoint


class Setting(NamedTuple):
    """Device, clocks, budget; other processes, a checkpoint and a wish to stop where there are any."""

    device: torch.device
    meter: Meter
    parts: Parts
    peak: Peak
    budget: Budget
    ranks: Ranks
    checkpoint: Checkpoint | None
    stop_asked: Callable[[], bool]
