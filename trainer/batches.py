"""Batches of normalised images, made on the device from the uint8 images that live there."""

from collections.abc import Iterator

import torch
from torch import Tensor

from trainer.augment import Augment, crop, cut_out, draw, flip, windows
from trainer.data import Data, Split

Batch = tuple[Tensor, Tensor]


class Normalise:
    """uint8 images (B, C, H, W) -> float32 with mean 0 and deviation 1 by the train pixels' statistics."""

    def __init__(self, data: Data, device: torch.device, memory_format: torch.memory_format) -> None:
        mean, std = (
            torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (data.mean, data.std)
        )
        self._scale = (1 / (255 * std)).float().to(device)
        self._shift = (-mean / std).float().to(device)
        self._format = memory_format

    def __call__(self, x: Tensor) -> Tensor:
        return x.to(torch.float32, memory_format=self._format).mul_(self._scale).add_(self._shift)


class Epochs:
    """The train images in random order, augmented, epoch after epoch.

    The order and every draw come from one generator, so a seed repeats them. The last batch may be smaller;
    it is dropped when it would hold one image only, which batch norm cannot take.
    """

    def __init__(self, split: Split, normalise: Normalise, augment: Augment, batch: int, seed: int) -> None:
        self._split, self._normalise, self._augment = split, normalise, augment
        self._views = windows(split.x, augment.padding)
        self._generator = torch.Generator(split.x.device).manual_seed(seed)
        self._bounds = bounds(len(split), batch)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self._bounds)

    def __iter__(self) -> Iterator[Batch]:
        generator = self._generator
        height, width = self._split.x.shape[2:]
        order = torch.randperm(len(self._split), generator=generator, device=generator.device)
        drawn = draw(len(self._split), height, width, self._augment, generator)
        for start, stop in self._bounds:
            chosen, draws = order[start:stop], drawn.pick(start, stop)
            x = self._normalise(flip(crop(self._views, chosen, draws), draws))
            yield cut_out(x, draws, self._augment.cutout), self._split.y[chosen]


def bounds(count: int, batch: int) -> list[tuple[int, int]]:
    """First and last of each batch; a last batch of one image is dropped, unless all batches have one."""
    cuts = [(start, min(start + batch, count)) for start in range(0, count, batch)]
    if len(cuts) > 1 and batch > 1 and cuts[-1][1] - cuts[-1][0] == 1:
        cuts.pop()
    return cuts
