"""TrainContext: what a training needs beside module, data and recipe."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from trainer.budget import Budget
from trainer.hardware.meter import Meter
from trainer.hardware.peak_memory import Peak
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import TimeByPart
from trainer.loop.checkpoint import Checkpoint


class TrainContext(NamedTuple):
    """The device, clocks, limits and other processes of one training."""

    device: torch.device
    meter: Meter  # seconds charged to the trial
    parts: TimeByPart
    peak: Peak
    budget: Budget
    ranks: Ranks
    checkpoint: Checkpoint | None
    stop_asked: Callable[[], bool]  # polled before every step
    goal: str  # the score by which an epoch is the best
