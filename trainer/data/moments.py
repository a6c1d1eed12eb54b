"""Moments: mean and deviation of each channel, exact, by counting pixel values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from trainer.data.raw import Array, white_of


class Tally:
    """How often each pixel value is there, by channel."""

    def __init__(self, channels: int, dtype: np.dtype[Any]) -> None:
        self._white = white_of(dtype)
        self._counts = np.zeros((channels, self._white + 1), np.int64)

    def seen(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """Count the images (N, C, H, W) of each block, and yield them."""
        for block in blocks:
            for channel, counts in enumerate(self._counts):
                counts += np.bincount(block[:, channel].ravel(), minlength=len(counts))
            yield block

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of each channel, on the scale 0..1."""
        values = np.arange(self._white + 1, dtype=np.float64) / self._white
        means, stds = [], []
        for counts in self._counts:
            mean = float(counts @ values / counts.sum())
            std = float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
            means.append(mean)
            stds.append(std or 1.0)  # a channel of one value is not scaled
        return tuple(means), tuple(stds)
