"""Axes: which axis of an array of images is the channels."""

import numpy as np

from trainer.data.raw import Array
from trainer.errors import DataError

USUAL = 4  # channels; more are bands, or slices of a volume, and must be said
MAX_CHANNELS = 64


def order_of(place: str, shape: tuple[int, ...], said: str | None) -> str | None:
    """Return first or last for images (N, C, H, W) or (N, H, W, C), None for (N, H, W).

    said: the user's word.  Raises DataError where the shape can be read two ways and nothing is said.
    """
    if len(shape) == 3:
        return None
    if len(shape) == 2:
        raise DataError(
            f"{place} has shape {shape}: its images are flat; save them as (N, H, W) or (N, H, W, C)"
        )
    if len(shape) != 4:
        raise DataError(
            f"{place} has shape {shape}; it must be (N, H, W), (N, H, W, C) or (N, C, H, W): volumes (3D) are not "
            "supported, since all node types are of two dimensions; save slices"
        )
    if said is not None:
        count = shape[1] if said == "first" else shape[3]
        if count > MAX_CHANNELS:
            raise DataError(
                f"{place} has shape {shape}, so channels: {said} gives {count}; at most {MAX_CHANNELS}"
            )
        return said
    return _told_by(place, shape)


def _told_by(place: str, shape: tuple[int, ...]) -> str:
    _, first, middle, last = shape
    if first > USUAL and last > USUAL:
        volumes = "; volumes (3D) are not supported, save slices" if min(first, last) > USUAL else ""
        raise DataError(
            f"{place} has shape {shape} and no axis of 1 to {USUAL} channels; say channels: first or channels: last "
            f"if one axis is bands{volumes}"
        )
    if first <= USUAL and last <= USUAL:
        raise DataError(
            f"{place} has shape {shape}; which axis is the channels cannot be told: say channels: first or last"
        )
    # Square images the other way round, as feature maps (N, 16, 4, 4) have them.
    square_first, square_last = middle == last, first == middle
    if (last <= USUAL and square_first and not square_last) or (
        first <= USUAL and square_last and not square_first
    ):
        raise DataError(
            f"{place} has shape {shape}, which may be {_read(shape, 'first')} or {_read(shape, 'last')}; "
            "say channels: first or channels: last"
        )
    return "last" if last <= USUAL else "first"


def _read(shape: tuple[int, ...], order: str) -> str:
    channels, sides = (shape[1], shape[2:]) if order == "first" else (shape[3], shape[1:3])
    return f"{channels} channels of {sides[0]}x{sides[1]}"


def images_first(place: str, array: Array, labels: int) -> Array:
    """Return images whose first axis counts them; MATLAB's files have it last, (H, W, N) or SVHN's (H, W, C, N)."""
    if array.ndim in (3, 4) and array.shape[0] != labels and array.shape[-1] == labels:
        return np.moveaxis(array, -1, 0)
    return array


def channels_first(array: Array, order: str | None) -> Array:
    """Return (N, C, H, W)."""
    if order is None:
        return array[:, None]
    return array if order == "first" else np.moveaxis(array, 3, 1)
