"""Data: a data set split for a search, as tensors of 8 or 16 bits a channel on the device."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.data.layouts.registry import read_own
from trainer.data.moments import Tally
from trainer.data.named import NAMED, read_named
from trainer.data.raw import Array, Part, Raw
from trainer.data.reading import Reading, Size
from trainer.data.seen import Seen
from trainer.data.split import Divided, divided, folded
from trainer.data.spool import blocks
from trainer.errors import DataError

DIGITS = 16  # of a digest


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels."""

    x: Tensor
    """uint8 (N, C, H, W), or uint16 where the pixels are deeper: 0 is black, and the largest number white."""
    y: Tensor
    """int64: the class of each image (N,), or for each image and label whether it has it, 0 or 1 (N, K)."""
    mapped: bool = False
    """Whether the images lie in a file that processes share; a copy of them would take memory in each."""

    def __len__(self) -> int:
        return len(self.y)

    def has(self, label: int) -> Tensor:
        """Return whether each image is of a class, or has a label, bool (N,)."""
        return self.y[:, label] == 1 if self.y.ndim == 2 else self.y == label

    def to(self, device: str | torch.device) -> "Split":
        x = self.x.to(device)
        return Split(x, self.y.to(device), self.mapped and x is self.x)


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
    place: Path | None = None
    """The folder of the files from which the images are mapped; None where they are in memory alone."""
    folds: tuple["Data", ...] = ()
    """With K folds, the data once for each, of which the first is this split: valid is the fold, train all others."""

    @property
    def is_multilabel(self) -> bool:
        """Whether an image may have several labels, or none, in place of one class."""
        return self.train.y.ndim == 2

    def to(self, device: str | torch.device) -> "Data":
        """Return the same data on another device; tensors already there are not copied."""
        train, valid, test = (split.to(device) for split in (self.train, self.valid, self.test))
        folds = tuple(one.to(device) for one in self.folds)
        return self.same(train=train, valid=valid, test=test, folds=folds)

    def same(self, **changes: Any) -> "Data":
        """Return the same images with other facts, or elsewhere; their digest is not counted again."""
        made = replace(self, **changes)
        if "_digest" in self.__dict__:
            made.__dict__["_digest"] = self._digest
        return made

    @property
    def white(self) -> int:
        """The value of white pixels, 255 or 65535."""
        return torch.iinfo(self.train.x.dtype).max

    def digest(self) -> str:
        """Return sixteen hex digits of the SHA-256 of images, labels, classes and split."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256(digest_head(self.input, self.classes).encode())
        for split in (self.train, self.valid, self.test):
            for tensor in (split.x, split.y):
                sha.update(repr(tuple(tensor.shape)).encode())
                sha.update(tensor.cpu().contiguous().numpy().data)
        return sha.hexdigest()[:DIGITS]


def digest_head(input: tuple[int, int, int], classes: tuple[str, ...]) -> str:
    """Return what the digest of a data set begins with."""
    return repr((input, classes))


def load(
    name_or_path: str | os.PathLike[str] = "digits",
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    *,
    size: int | Size | str | None = None,
    mirror: bool | None = None,
    download: bool = True,
    cache: str | os.PathLike[str] | None = None,
    folds: int | None = None,
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
    cache: a folder that keeps decoded images, which processes then share; without it, they are read each time. Of
        folds, whose images are parted anew, each process has copies in memory.
    folds: K for K folds of the images that are no test images, in place of one validation part: `Data.folds`.
    answers: what files leave open, by the fields of `trainer.data.reading.Reading`: alpha="white".
    Raises DataError, one sentence.
    """
    key = os.fspath(name_or_path)
    reading = Reading.parse({"size": size, **answers})
    if key not in NAMED:
        own = _own(key, reading, seed, folds, None if cache is None else Path(cache))
        facts = {"reading": reading, "mirror": bool(mirror)}
        return own.same(**facts, folds=tuple(one.same(**facts) for one in own.folds))
    if said := ", ".join(reading.given()):
        raise DataError(f"{said} is given for {key}; it is for images of your own (./{key} is a path)")
    raw = _beside(read_named(key, root, download=download, mirror=mirror))
    if folds is not None:
        return _folded(raw, seed, folds)
    found = in_memory(divided(raw, seed))
    return found if cache is None else _shared(Path(cache), found)


def _own(name: str, reading: Reading, seed: int, folds: int | None, cache: Path | None) -> Data:
    from trainer.data.cached import cached, cached_raw

    def read() -> Raw:
        return read_own(name, reading)

    path, said = Path(name), reading.given()
    if folds is not None:
        raw = (cached_raw(cache, path, said, read) if cache else None) or read()
        return _folded(raw, seed, folds)
    kept = cached(cache, path, {"seed": seed, **said}, lambda: divided(read(), seed)) if cache else None
    return kept or in_memory(divided(read(), seed))


def _folded(raw: Raw, seed: int, count: int) -> Data:
    made = tuple(map(in_memory, folded(raw, count, seed)))
    each = tuple(replace(one, test=made[0].test) for one in made)
    return replace(each[0], folds=each)


def _shared(cache: Path, data: Data) -> Data:
    from trainer.data.cached import shared

    return shared(cache, data)


def _beside(raw: Raw) -> Raw:
    """Return a named data set, with a note where a file or folder of its name lies here too."""
    if not Path(raw.name).exists():
        return raw
    note = (
        f"this is the data set of that name; {raw.name} also lies in this folder, and ./{raw.name} reads it"
    )
    return replace(raw, seen=raw.seen._replace(notes=(*raw.seen.notes, note)))


def in_memory(found: Divided) -> Data:
    """Return a divided data set as tensors."""
    x = found.train.x
    tally = Tally(x.shape[1], x.dtype)
    train = _tensors(found.train, tally.seen(blocks(x)))
    mean, std = tally.moments()
    return Data(
        name=found.name,
        input=(x.shape[1], x.shape[2], x.shape[3]),
        classes=found.classes,
        train=train,
        valid=_tensors(found.valid, blocks(found.valid.x)),
        test=_tensors(found.test, blocks(found.test.x)),
        mean=mean,
        std=std,
        mirror=found.mirror,
        seen=found.seen,
    )


def _tensors(part: Part, pixels: Iterable[Array]) -> Split:
    x, start = np.empty(part.x.shape, part.x.dtype), 0
    for block in pixels:
        x[start : start + len(block)] = block
        start += len(block)
    return Split(torch.from_numpy(x), torch.from_numpy(np.ascontiguousarray(part.y)))
