"""Setting: what a training has around it, beside module, data and recipe."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from trainer.budget import Budget
from trainer.checkpoint import Checkpoint
from trainer.memory import Peak
from trainer.meter import Meter
from trainer.parts import Parts
from trainer.ranks import Ranks


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
