"""Spool: images on their way into a data set, in files where several processes decode them or memory is short."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from trainer.data.raw import Array, Images, Labels, white_of

BLOCK = 1 << 23  # bytes of images that are put together at a time

# The folder of the spool of this read. Readers of layouts, also of other packages, do not pass it on.
_FOLDER: ContextVar[Path | None] = ContextVar("spool", default=None)


@contextmanager
def spooled(place: Path) -> Iterator[None]:
    """Keep the images that are gathered in the block in files beside a place; they are gone at its end."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
        before = _FOLDER.set(Path(folder))
        try:
            yield
        finally:
            _FOLDER.reset(before)
            if _file_in.cache_info().currsize:
                _file_in(Path(folder)).close()
                _file_in.cache_clear()


def spool_folder() -> Path | None:
    """Return where the images of this read are kept, or None for the memory."""
    return _FOLDER.get()


class SpoolError(Exception):
    """An image that the spool cannot hold."""


class Spooled(NamedTuple):
    """An image that lies in a file."""

    file: str
    at: int  # its first byte
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def array(self) -> Array:
        """Read it."""
        count = int(np.prod(self.shape))
        return np.fromfile(self.file, self.dtype, count, offset=self.at).reshape(self.shape)


Held = Array | Spooled


def kept(images: Sequence[Array], folder: Path | None) -> tuple[Held, ...]:
    """Append images to the file of this process in a folder; without a folder they stay in memory."""
    if folder is None:
        return tuple(images)
    places = []
    try:
        file = _file_in(folder)
        for image in images:
            places.append(Spooled(file.name, file.tell(), image.shape, image.dtype))
            file.write(np.ascontiguousarray(image).data)
        file.flush()  # other processes read it
    except OSError as error:
        raise SpoolError(error.strerror or str(error)) from None
    return tuple(places)


@lru_cache(maxsize=1)
def _file_in(folder: Path) -> BinaryIO:
    return open(folder / f"{os.getpid()}.images", "ab")


def array_of(image: Held) -> Array:
    """Return an image, (H, W) or (H, W, C)."""
    return image.array() if isinstance(image, Spooled) else image


def blocks(x: Images | Rows) -> Iterator[Array]:
    """Yield images (N, C, H, W) block by block."""
    each = max(1, BLOCK // (int(np.prod(x.shape[1:])) * x.dtype.itemsize))
    for start in range(0, len(x), each):
        yield np.asarray(x[start : start + each])


class Rows:
    """Images (N, C, H, W) that are put together when they are asked for: `rows[places]` is a choice of them."""

    def __init__(
        self, images: Sequence[Held], channels: int, sides: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._images, self.dtype = images, dtype
        self.shape = (len(images), channels, *sides)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, places: Labels | slice) -> Rows:
        """Choose some, still without reading them."""
        of_slice = range(len(self._images))[places] if isinstance(places, slice) else places
        images = [self._images[place] for place in of_slice]
        return Rows(images, self.shape[1], self.shape[2:], self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Read them, (N, C, H, W)."""
        x = np.empty(self.shape, self.dtype)
        for place, image in enumerate(map(array_of, self._images)):
            white = white_of(self.dtype) // white_of(image.dtype)
            whole = image * self.dtype.type(white) if white > 1 else image
            x[place] = whole if whole.ndim == 2 else whole.transpose(2, 0, 1)  # grey fills every channel
        return x
