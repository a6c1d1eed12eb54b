"""The seconds of a step are those of training, and grow with the batch."""

import time

import torch
from torch import nn

from trainer.hardware.step_seconds import step_seconds


class TwoExits(nn.Module):
    """A convolution with a classifier that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.out = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.out(self.conv(x).mean((2, 3)))
        return logits, logits


def test_a_step_trains_every_exit() -> None:
    module = TwoExits()
    before = module.conv.weight.detach().clone()
    start = time.perf_counter()
    seconds = step_seconds(module, (3, 16, 16), 5, batch=4, seconds=0.05)
    assert 0 < seconds < time.perf_counter() - start
    assert not torch.equal(before, module.conv.weight.detach().contiguous())


def test_a_larger_batch_takes_longer() -> None:
    few, many = (step_seconds(TwoExits(), (3, 32, 32), 5, batch, seconds=0.1) for batch in (2, 256))
    assert many > few
