"""Data: a data set split for a search, as uint8 tensors on the device."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.data.layouts.registry import read_own
from trainer.data.named import NAMED, read_named
from trainer.data.raw import Images, Part, Raw
from trainer.data.reading import Reading, Size
from trainer.data.seen import Seen
from trainer.data.split import TEST_SHARE, VALID_SHARE, check_counts, drawn, origins
from trainer.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels."""

    x: Tensor
    """uint8 (N, C, H, W)."""
    y: Tensor
    """int64 (N,)."""

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: str | torch.device) -> "Split":
        return Split(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, eq=False)
class Data:
    """A data set. A search sees `train` and `valid`; `test` is for exported networks only."""

    name: str
    input: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: tuple[str, ...]
    train: Split
    valid: Split
    test: Split
    mean: tuple[float, ...]
    """Mean of the train pixels of each channel, on the scale 0..1."""
    std: tuple[float, ...]
    """Standard deviation of the train pixels of each channel, on the scale 0..1."""
    mirror: bool
    """Whether a mirrored image still belongs to its class; False for digits."""
    reading: Reading = field(default_factory=Reading)
    """What the user said of the files."""
    seen: Seen = field(default_factory=Seen)
    """What the reader understood of the files."""

    def to(self, device: str | torch.device) -> "Data":
        """Return the same data on another device; tensors already there are not copied."""
        train, valid, test = (split.to(device) for split in (self.train, self.valid, self.test))
        return replace(self, train=train, valid=valid, test=test)

    def digest(self) -> str:
        """Return sixteen hex digits of the SHA-256 of images, labels, classes and split."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256(repr((self.input, self.classes)).encode())
        for split in (self.train, self.valid, self.test):
            for tensor in (split.x, split.y):
                sha.update(repr(tuple(tensor.shape)).encode())
                sha.update(tensor.cpu().contiguous().numpy().data)
        return sha.hexdigest()[:16]


def load(
    name_or_path: str | os.PathLike[str] = "digits",
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    *,
    size: int | Size | str | None = None,
    mirror: bool | None = None,
    download: bool = True,
    **answers: Any,
) -> Data:
    """Load a data set by its name, or your own images in one of the layouts of docs/data.md, on the CPU.

    Names are `trainer.NAMES`; `./digits` is a folder. Official parts are used as they are. Without an official test
    part 20 % of each class is drawn as test, and without an official validation part 15 % of the other images, at
    least one per class, become valid. `seed` draws the split and is not the seed of a study: with the default every
    study has the same split.

    root: folder of the named data sets; by default GENOME_DATA, else ~/.cache/genome/data.
    size: height and width to which pictures are resized, as one number or (height, width), or auto.
    mirror: whether flips keep the class; by default as known for the named sets, False for your own images.
    download: whether to download a named data set that is absent.
    answers: what files leave open, by the fields of `trainer.data.reading.Reading`: alpha="white".
    Raises DataError, one sentence.
    """
    key = os.fspath(name_or_path)
    reading = Reading.parse({"size": size, **answers})
    if key not in NAMED:
        return replace(_split(read_own(key, reading, mirror=bool(mirror)), seed), reading=reading)
    if said := ", ".join(reading.given()):
        raise DataError(f"{said} is given for {key}; it is for images of your own (./{key} is a path)")
    return _split(_beside(read_named(key, root, download=download, mirror=mirror)), seed)


def _beside(raw: Raw) -> Raw:
    """Return a named data set, with a note where a file or folder of its name lies here too."""
    if not Path(raw.name).exists():
        return raw
    note = (
        f"this is the data set of that name; {raw.name} also lies in this folder, and ./{raw.name} reads it"
    )
    return replace(raw, seen=raw.seen._replace(notes=(*raw.seen.notes, note)))


def _split(raw: Raw, seed: int) -> Data:
    check_counts(raw)
    rest, test = (raw.train, raw.test) if raw.test else drawn(raw.train, TEST_SHARE, seed, raw.classes)
    train, valid = (rest, raw.valid) if raw.valid else drawn(rest, VALID_SHARE, seed, raw.classes)
    mean, std = _mean_std(train.x)
    return Data(
        name=raw.name,
        input=(train.x.shape[1], train.x.shape[2], train.x.shape[3]),
        classes=raw.classes,
        train=_tensors(train),
        valid=_tensors(valid),
        test=_tensors(test),
        mean=mean,
        std=std,
        mirror=raw.mirror,
        seen=raw.seen._replace(origins=origins(raw)),
    )


def _tensors(part: Part) -> Split:
    return Split(*(torch.from_numpy(np.ascontiguousarray(array)) for array in (part.x, part.y)))


def _mean_std(x: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel on 0..1, exact, by counting pixel values."""
    values = np.arange(256, dtype=np.float64) / 255
    means, stds = [], []
    for channel in range(x.shape[1]):
        # In blocks, because bincount widens every pixel to eight bytes.
        blocks = (x[start : start + 1000, channel].ravel() for start in range(0, len(x), 1000))
        counts = np.sum([np.bincount(block, minlength=256) for block in blocks], axis=0)
        mean = float(counts @ values / counts.sum())
        std = float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
        means.append(mean)
        stds.append(std or 1.0)  # a channel of one value is not scaled
    return tuple(means), tuple(stds)
