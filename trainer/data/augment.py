"""Random crop, alternating flip and cutout of whole batches on the device: one draw per epoch, one gather per batch."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augment:
    """The augmentation of train images."""

    padding: int = 0  # pixels of black on each side before the crop
    flip: bool = False  # mirror every image in every other epoch
    cutout: int = 0  # side in pixels


class Draws(NamedTuple):
    """The random draws of N images, each a tensor (N,), or None if it is not used."""

    top: Tensor | None  # 0..2*padding: first row of the crop
    left: Tensor | None
    mirrored: Tensor | None  # bool
    row: Tensor | None  # centre of the cut-out square
    column: Tensor | None

    def pick(self, places: slice) -> "Draws":
        """Return the draws of some of the images."""
        return Draws(*(None if drawn is None else drawn[places] for drawn in self))

    def to(self, device: torch.device) -> "Draws":
        return Draws(*(None if drawn is None else drawn.to(device) for drawn in self))


def draw(
    count: int,
    height: int,
    width: int,
    augment: Augment,
    generator: torch.Generator,
    mirrored: Tensor | None = None,
) -> Draws:
    """Draw for `count` images of an epoch, on the generator's device, given which images are mirrored."""

    def below(high: int, wanted: bool) -> Tensor | None:
        return torch.randint(high, (count,), generator=generator, device=generator.device) if wanted else None

    offsets = 2 * augment.padding + 1
    return Draws(
        top=below(offsets, augment.padding > 0),
        left=below(offsets, augment.padding > 0),
        mirrored=mirrored,
        row=below(height, augment.cutout > 0),
        column=below(width, augment.cutout > 0),
    )


def windows(x: Tensor, padding: int) -> Tensor:
    """Return every crop of every image as a view of one padded copy: (N, C, H, W) -> (N, C, 2p+1, 2p+1, H, W)."""
    height, width = x.shape[2:]
    padded = F.pad(x, (padding, padding, padding, padding))
    return padded.unfold(2, height, 1).unfold(3, width, 1)


def crop(views: Tensor, chosen: Tensor, draws: Draws) -> Tensor:
    """Return the drawn crop of each chosen image, in one gather: (N, C, 2p+1, 2p+1, H, W), (B,) -> (B, C, H, W)."""
    if draws.top is None or draws.left is None:
        return views[chosen, :, 0, 0]
    return views[chosen, :, draws.top, draws.left]


def flip(x: Tensor, draws: Draws) -> Tensor:
    """Mirror the drawn images of (B, C, H, W) left to right."""
    if draws.mirrored is None:
        return x
    return torch.where(draws.mirrored[:, None, None, None], x.flip(3), x)


def cut_out(x: Tensor, draws: Draws, side: int) -> Tensor:
    """Set a square of normalised images (B, C, H, W) to 0, the mean, in place; it may cross the border.

    DeVries and Taylor, "Improved regularization of CNNs with cutout" (arXiv:1708.04552).
    """
    if draws.row is None or draws.column is None:
        return x
    rows = _covered(x.shape[2], draws.row, side)[:, None, :, None]
    columns = _covered(x.shape[3], draws.column, side)[:, None, None, :]
    return x.masked_fill_(rows & columns, 0.0)


def _covered(length: int, centre: Tensor, side: int) -> Tensor:
    """Return (B,) -> (B, length): whether a pixel lies in centre - side//2 <= pixel < centre - side//2 + side."""
    distance = torch.arange(length, device=centre.device) - centre[:, None] + side // 2
    return (distance >= 0) & (distance < side)
