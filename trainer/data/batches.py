"""Batches of normalised images, made on the device from images of 8 or 16 bits."""

import random
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.data.augment import Augment, Draws, cut_out, draw, flip
from trainer.data.balance import balanced_order
from trainer.data.data import Data, Split
from trainer.data.residence import Images, images
from trainer.hardware.precision import Form


class Batch(NamedTuple):
    """Normalised images and their labels; with mixup, two labels per image."""

    x: Tensor
    """Images (B, C, H, W)."""
    y: Tensor
    """Classes (B,), or labels (B, K) of 0 and 1."""
    other: Tensor | None = None
    """Classes or labels of the images that were mixed in, likewise."""
    share: Tensor | None = None
    """Share of `y` in the mix, () float32; the rest is of `other`."""

    def parts(self, count: int) -> list["Batch"]:
        """Return the batch in so many nearly equal parts; in fewer if a part would have a single image."""
        if count == 1:
            return [self]
        count = max(min(count, len(self.y) // 2), 1)
        others = [None] * count if self.other is None else self.other.tensor_split(count)
        pieces = zip(self.x.tensor_split(count), self.y.tensor_split(count), others, strict=True)
        return [Batch(x, y, other, self.share) for x, y, other in pieces]


class Normalise:
    """Converts stored images (B, C, H, W) to the form's dtype, with mean 0 and deviation 1 over the train pixels."""

    def __init__(self, data: Data, device: torch.device, form: Form) -> None:
        mean, std = (
            torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (data.mean, data.std)
        )
        self._scale = (1 / (data.white * std)).float().to(device)
        self._shift = (-mean / std).float().to(device)
        self._form = form

    def __call__(self, x: Tensor) -> Tensor:
        # The change of dtype gives the strides of the layout also to images of one channel.
        x = x.to(torch.float32, memory_format=self._form.memory_format)
        return x.mul_(self._scale).add_(self._shift).to(self._form.dtype)


class Epochs:
    """The train images in random order, augmented, epoch by epoch.

    Order and draws depend on seed and epoch alone, so that an epoch can be resumed in its middle. The last batch may be
    smaller; it is dropped if it would hold a single image, which batch norm cannot take.
    balanced: whether an epoch has as many images of each class.
    rank, ranks: each of several processes takes its share of every batch.
    """

    def __init__(
        self,
        split: Split,
        normalise: Normalise,
        augment: Augment,
        batch: int,
        seed: int,
        *,
        mixup: float = 0.0,
        balanced: bool = False,
        device: torch.device | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._split, self._normalise, self._augment = split, normalise, augment
        self._device = split.x.device if device is None else device
        self._images: Images = images(split, augment.padding, self._device)
        self._seed, self._mixup, self._rank, self._ranks = seed, mixup, rank, ranks
        self._is_balanced = balanced
        self._bounds = bounds(len(split), batch, ranks)
        self._mirrored = self._first_mirrored() if augment.flip else None

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self._bounds)

    @property
    def largest(self) -> int:
        """Images of this rank in a whole batch."""
        start, stop = self._bounds[0]
        return len(range(start + self._rank, stop, self._ranks))

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number`, counted from 0, from the batch `first` on."""
        order, drawn = self.drawn(number)
        shares = self._shares(number)
        for step in range(first, self.steps):
            start, stop = self._bounds[step]
            own = slice(start + self._rank, stop, self._ranks)
            batch = self._batch(order[own], drawn.pick(own))
            yield batch if shares is None else mixed(batch, shares[step])

    def drawn(self, number: int) -> tuple[Tensor, Draws]:
        """Return the order of the images in an epoch (N,), and the draws of each in that order."""
        generator = self._generator(number + 1)
        height, width = self._split.x.shape[2:]
        order = self._order(generator)
        mirrored = None if self._mirrored is None else self._mirrored[order] ^ bool(number % 2)
        draws = draw(len(self._split), height, width, self._augment, generator, mirrored)
        return order, draws.to(self._device)

    def _order(self, generator: torch.Generator) -> Tensor:
        if self._is_balanced:
            return balanced_order(self._split.y, generator)
        return torch.randperm(len(self._split), generator=generator, device=generator.device)

    def _batch(self, chosen: Tensor, draws: Draws) -> Batch:
        x, y = self._images.take(chosen, draws)
        return Batch(cut_out(self._normalise(flip(x, draws)), draws, self._augment.cutout), y)

    def _generator(self, number: int) -> torch.Generator:
        """Return the random stream of an epoch; number 0 is the stream of a single draw for all epochs."""
        seed = random.Random(f"{self._seed} {number}").getrandbits(63)
        return torch.Generator(self._split.x.device).manual_seed(seed)

    def _first_mirrored(self) -> Tensor:
        """Return which images are mirrored in the first epoch (N,); the others are mirrored in the next, and so on.

        Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv:2404.00498).
        """
        generator = self._generator(0)
        return torch.randint(2, (len(self._split),), generator=generator, device=generator.device).bool()

    def _shares(self, number: int) -> Tensor | None:
        """Return the share of the first image of each pair, a number per batch, drawn from Beta(mixup, mixup)."""
        if self._mixup == 0:
            return None
        stream = random.Random(f"mixup {self._seed} {number}")
        drawn = [stream.betavariate(self._mixup, self._mixup) for _ in self._bounds]
        return torch.tensor(drawn, dtype=torch.float32).to(self._device)


def mixed(batch: Batch, share: Tensor) -> Batch:
    """Return the batch with each image mixed with its counterpart in the reversed batch.

    Zhang et al., "mixup: beyond empirical risk minimization" (arXiv:1710.09412); the order is already random.
    """
    x = torch.lerp(batch.x.flip(0), batch.x, share.to(batch.x.dtype))
    return Batch(x, batch.y, batch.y.flip(0), share)


def bounds(count: int, batch: int, ranks: int = 1) -> list[tuple[int, int]]:
    """Return start and stop of each batch; a last batch with one image per rank is dropped, unless all have one."""
    cuts = [(start, min(start + batch, count)) for start in range(0, count, batch)]
    least = 2 * ranks if batch > ranks else ranks
    if len(cuts) > 1 and cuts[-1][1] - cuts[-1][0] < least:
        cuts.pop()
    return cuts
