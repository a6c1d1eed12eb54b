"""Where images live while a network is trained: the whole set on the device, or on the host and sent in batches."""

import logging
from typing import Protocol

import torch
from torch import Tensor

from trainer.data.augment import Draws, crop, windows
from trainer.data.data import Data, Split

SHARE = 0.5  # of the free memory that images may take; the rest is the network's

log = logging.getLogger("trainer")


class Images(Protocol):
    """The images of a split, of which a batch can be taken."""

    def take(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The drawn crops of the chosen images, uint8 (B, C, H, W), and labels (B,), on the device."""


class Padded:
    """A whole split on the device, padded once: a batch is one gather."""

    def __init__(self, split: Split, padding: int) -> None:
        self._views, self._labels = windows(split.x, padding), split.y

    def take(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        return crop(self._views, chosen, draws), self._labels[chosen]


class Streamed:
    """A split wherever it lies: a batch is gathered there, sent to the device and padded there.

    On CUDA it goes through pinned memory on a stream of its own, beside the step before.
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


def placed(data: Data, device: torch.device, spare_bytes: int | None = None) -> Data:
    """The data on the device, or as it is where it would take more than half of the memory that is spare there."""
    if data.train.x.device == device or device.type == "cpu":
        return data.to(device)
    spare = free_bytes(device) if spare_bytes is None else spare_bytes
    needed = sum(_bytes(split) for split in (data.train, data.valid, data.test))
    if spare is None or needed <= SHARE * spare:
        return data.to(device)
    log.warning(
        "%s takes %s bytes and %s are free on %s: its images stay on the host and are sent in batches",
        data.name,
        f"{needed:,}",
        f"{spare:,}",
        device,
    )
    return data


def images(split: Split, padding: int, device: torch.device, spare_bytes: int | None = None) -> Images:
    """The split padded as a whole, or batch by batch where it is not on the device or has no room there twice."""
    spare = free_bytes(device) if spare_bytes is None else spare_bytes
    height, width = split.x.shape[2:]
    needed = _bytes(split) * (1 + 2 * padding / height) * (1 + 2 * padding / width)
    if split.x.device == device and (spare is None or needed <= SHARE * spare):
        return Padded(split, padding)
    return Streamed(split, padding, device)


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on the device, or that Linux would give on the host; None where nothing says so."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo") as lines:
            found = next(line for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
    return int(found.split()[1]) * 1024


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def _bytes(split: Split) -> int:
    return split.x.nbytes + split.y.nbytes
