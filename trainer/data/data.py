"""Data: a data set split for a search, as uint8 tensors on the device."""

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainer.data.folder import Size, read_folder
from trainer.data.named import NAMED, NAMES, read_named
from trainer.data.npz import read_npz
from trainer.data.raw import Images, Labels, Raw
from trainer.data.split import TEST_SHARE, VALID_SHARE, check_counts, divide
from trainer.errors import DataError

MAX_PIXELS = 4096  # of a side


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
    size: int | Size | None = None,
    mirror: bool | None = None,
    download: bool = True,
) -> Data:
    """Load a data set by its name, or your own images from a folder or an .npz file, on the CPU.

    Names are `trainer.NAMES`. A folder has one subfolder per class, or train/ and test/ with one subfolder per class
    each; an .npz has the uint8 arrays train_x, train_y, test_x, test_y. An official test part is used as it is;
    without one (digits), 20 % of each class is drawn as test. Then 15 % of the other images, at least one per class,
    become valid. `seed` draws the split and is not the seed of a study: with the default every study has the same
    split.

    root: folder of the named data sets; by default GENOME_DATA, else ~/.cache/genome/data.
    size: height and width to which a folder's images are resized, as one number or (height, width).
    mirror: whether flips keep the class; by default as known for the named sets, False for your own images.
    download: whether to download a named data set that is absent.
    Raises DataError, one sentence.
    """
    key = os.fspath(name_or_path)
    if key in NAMED:
        if size is not None:
            raise DataError(f"size is given for {key}; it resizes the images of a folder only")
        return _split(read_named(key, root, download=download, mirror=mirror), seed)
    return _split(_read_own(key, _pair(size), mirror=bool(mirror)), seed)


def _read_own(name: str, size: Size | None, *, mirror: bool) -> Raw:
    try:
        path = Path(name).expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL byte in it, the home of an unknown user
        is_folder = is_there = False
    if not is_there or not name:
        raise DataError(
            f"data is {name!r}; it must be one of {', '.join(NAMES)}, or a folder or .npz file that is there"
        )
    if is_folder:
        return read_folder(path, size=size, mirror=mirror)
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path} is neither a folder of images nor an .npz file")
    if size is not None:
        raise DataError(f"size is given for {path}; it resizes the images of a folder only")
    try:
        return read_npz(path, mirror=mirror)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _pair(size: int | Size | None) -> Size | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= MAX_PIXELS for side in sides):
        raise DataError(f"size is {size!r}; it must be 1..{MAX_PIXELS} pixels or (height, width)")
    return sides[0], sides[1]


def _split(raw: Raw, seed: int) -> Data:
    check_counts(raw)
    x, y = raw.train_x, raw.train_y
    if raw.test_x is None or raw.test_y is None:
        rest, drawn = divide(y, TEST_SHARE, seed)
        test_x, test_y = x[drawn], y[drawn]
        x, y = x[rest], y[rest]
    else:
        test_x, test_y = raw.test_x, raw.test_y
    train, valid = divide(y, VALID_SHARE, seed)
    mean, std = _mean_std(x[train])
    return Data(
        name=raw.name,
        input=(x.shape[1], x.shape[2], x.shape[3]),
        classes=raw.classes,
        train=_tensors(x[train], y[train]),
        valid=_tensors(x[valid], y[valid]),
        test=_tensors(test_x, test_y),
        mean=mean,
        std=std,
        mirror=raw.mirror,
    )


def _tensors(x: Images, y: Labels) -> Split:
    return Split(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y)))


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
