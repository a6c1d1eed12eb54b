"""Real image files, made by the libraries that people make them with."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from trainer import Data, DataError, load


def pixels(seed: int, shape: tuple[int, ...] = (7, 9, 3), high: int = 256, kind: Any = np.uint8) -> Any:
    """Return random pixels, the same for each seed."""
    return np.random.default_rng(seed).integers(high, size=shape).astype(kind)


def put(folder: Path, names: tuple[str, ...] = ("cat", "dog"), count: int = 5, suffix: str = ".png") -> Path:
    """Write a folder of colour images for each name, all images different."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed = crc32(f"{folder.name} {name} {number}".encode())
            Image.fromarray(pixels(seed)).save(folder / name / f"{number}{suffix}")
    return folder


def counts(data: Data) -> list[int]:
    """Return the images of train, valid and test."""
    return [len(data.train), len(data.valid), len(data.test)]


def refusal(path: Path, **answers: Any) -> str:
    """Return the sentence by which a path is refused."""
    with pytest.raises(DataError) as caught:
        load(path, **answers)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def images_of(data: Data) -> set[bytes]:
    """Return every image of a data set."""
    return {x.numpy().tobytes() for split in (data.train, data.valid, data.test) for x in split.x}
