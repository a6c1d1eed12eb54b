"""Resize: pixels of any size as the size of a network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainer.data.raw import Array
from trainer.data.reading import Size

if TYPE_CHECKING:
    from PIL.Image import Image


def sized(pixels: Array, size: Size | None, fit: str | None = None) -> Array:
    """Return pixels (H, W) or (H, W, C) as (height, width), bilinear with antialias.

    fit: what becomes of other proportions: stretch, the default; crop, the middle; pad, with black on two sides.
    """
    from PIL import Image

    if size is None or pixels.shape[:2] == tuple(size):
        return pixels
    if pixels.dtype == np.uint8 and pixels.shape[2:] in ((), (3,)):
        return np.asarray(resized(Image.fromarray(pixels), size, fit))
    if pixels.ndim == 2:
        return _plane(pixels, size, fit)
    planes = (np.ascontiguousarray(pixels[..., band]) for band in range(pixels.shape[2]))
    return np.stack([_plane(plane, size, fit) for plane in planes], axis=2)


def _plane(plane: Array, size: Size, fit: str | None) -> Array:
    from PIL import Image

    if plane.dtype == np.uint8:
        return np.asarray(resized(Image.fromarray(plane), size, fit))
    made: Array = np.asarray(resized(Image.fromarray(plane.astype(np.float32)), size, fit))
    return np.rint(made).astype(plane.dtype, copy=False)


def resized(image: Image, size: Size | None, fit: str | None = None) -> Image:
    """Return an image as (height, width), as `sized` does."""
    from PIL import Image as pillow
    from PIL import ImageOps

    if size is None or image.size == (size[1], size[0]):
        return image
    sides, bilinear = (size[1], size[0]), pillow.Resampling.BILINEAR
    if fit == "crop":
        return ImageOps.fit(image, sides, bilinear)
    if fit == "pad":
        return ImageOps.pad(image, sides, bilinear)
    return image.resize(sides, bilinear)
