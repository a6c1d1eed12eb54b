"""Where the images are during a training: all on the device, or on the host and copied in batches."""

import logging
from typing import Protocol

import torch
from torch import Tensor

from trainer.data.augment import Draws, crop, windows
from trainer.data.data import Data, Split
from trainer.system.memory import available_bytes

PAGE = 4096  # bytes, at most those of a page
SHARE = 0.5  # largest share of the free memory that images may take; the network takes the rest

log = logging.getLogger("trainer")


class Images(Protocol):
    """The images of a split, from which batches are taken."""

    def take(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the drawn crops of the chosen images, (B, C, H, W) of 8 or 16 bits, and labels (B,), on the device."""


class Padded:
    """A whole split on the device, padded once, so that a batch is one gather."""

    def __init__(self, split: Split, padding: int) -> None:
        self._views, self._labels = windows(split.x, padding), split.y

    def take(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        return crop(self._views, chosen, draws), self._labels[chosen]


class Streamed:
    """A split on any device: a batch is gathered there, copied to the training device and padded there.

    For CUDA it is copied through pinned memory on a separate stream, in parallel with the previous step.
    """

    def __init__(self, split: Split, padding: int, device: torch.device) -> None:
        self._split, self._padding, self._device = split, padding, device
        self._copies = _stream(device)

    def take(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        x, y = self._sent(self._split.x[chosen]), self._sent(self._split.y[chosen])
        return crop(windows(x, self._padding), torch.arange(len(y), device=y.device), draws), y

    def _sent(self, tensor: Tensor) -> Tensor:
        if self._copies is None or tensor.device == self._device:
            return tensor.to(self._device)
        with torch.cuda.stream(self._copies):
            there = tensor.pin_memory().to(self._device, non_blocking=True)
        torch.cuda.current_stream(self._device).wait_stream(self._copies)
        there.record_stream(torch.cuda.current_stream(self._device))
        return there


def placed(data: Data, device: torch.device, available_bytes: int | None = None) -> Data:
    """Return the data on the device, or unchanged if it would take more than half of the free memory there."""
    if data.train.x.device == device or device.type == "cpu":
        _touch(data)
        return data.to(device)
    available = free_bytes(device) if available_bytes is None else available_bytes
    needed = sum(_bytes(split) for split in (data.train, data.valid, data.test))
    if available is None or needed <= SHARE * available:
        return data.to(device)
    log.warning(
        "%s takes %s bytes and %s are free on %s: its images stay on the host and are copied in batches",
        data.name,
        f"{needed:,}",
        f"{available:,}",
        device,
    )
    return data


def _touch(data: Data) -> None:
    """Read the pages of mapped images that fit into the memory, so that no trial is charged for them as its own."""
    mapped = [split for split in (data.train, data.valid) if split.mapped]
    available = available_bytes()
    if mapped and available is not None and sum(map(_bytes, mapped)) <= SHARE * available:
        for split in mapped:
            split.x.flatten()[:: PAGE // split.x.itemsize].clone()


def images(split: Split, padding: int, device: torch.device, available_bytes: int | None = None) -> Images:
    """Return the split padded as a whole, or batch by batch if it is not on the device or would not fit there twice.

    Mapped images are taken batch by batch too: the processes that share them have no copies.
    """
    if split.mapped:
        return Streamed(split, padding, device)
    available = free_bytes(device) if available_bytes is None else available_bytes
    height, width = split.x.shape[2:]
    needed = _bytes(split) * (1 + 2 * padding / height) * (1 + 2 * padding / width)
    if split.x.device == device and (available is None or needed <= SHARE * available):
        return Padded(split, padding)
    return Streamed(split, padding, device)


def free_bytes(device: torch.device) -> int | None:
    """Return the free bytes of the device, or those available on the host; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return available_bytes()


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def _bytes(split: Split) -> int:
    return split.x.nbytes + split.y.nbytes
