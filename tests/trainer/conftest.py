"""Real digits, and a real small network to train on them."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from trainer.data.data import Data, load
from trainer.hardware import clock


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: tests run beside each other, and bit-for-bit repeats need a fixed number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Ticking:
    def __init__(self) -> None:
        self._readings = count()

    def seconds(self) -> float:
        return next(self._readings) / 1000


@pytest.fixture
def ticking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks that advance by a millisecond at each reading, so that a busy machine does not affect a limit.

    Measurements by these clocks are not cached for other tests.
    """
    monkeypatch.setattr(time, "perf_counter", Ticking().seconds)
    monkeypatch.setattr(time, "thread_time", Ticking().seconds)
    monkeypatch.setattr(clock, "_CLOCK", Ticking())
    monkeypatch.setenv("GENOME_CACHE", str(tmp_path))


@pytest.fixture(scope="session")
def digits() -> Data:
    return load("digits")


class TwoExits(nn.Module):
    """Two conv blocks with an exit after each."""

    exit_weights: tuple[float, ...] = (0.3, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.first = _block(1, 8)
        self.second = _block(8, 16, stride=2)
        self.early = _head(8)
        self.late = _head(16)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.first(x)
        return self.early(x), self.late(self.second(x))


def _block(ins: int, outs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU())


def _head(width: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10))


def _net(width: int = 12) -> nn.Module:
    return nn.Sequential(
        _block(1, width),
        _block(width, width),
        _block(width, 2 * width, stride=2),
        nn.Dropout(0.1),
        _head(2 * width),
    )


@pytest.fixture
def net() -> Callable[..., nn.Module]:
    """A function that makes the same small conv-bn-relu network each time, and restores the global seed."""

    def make(width: int = 12) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return _net(width)

    return make


@pytest.fixture
def two_exits() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TwoExits()
