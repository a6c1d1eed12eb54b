"""Setting: what a training has around it, beside module, data and recipe."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from trainer.budget import Budget
from trainer.checkpoint import Checkpoint

from .hardware.meter import Meter
from .hardware.peak_memory import Peak
from .hardware.ranks import Ranks
from .hardware.time_by_part import Parts


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
