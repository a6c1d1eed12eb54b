"""Kinds of data sets: each is made as people have it, and is read right or refused with the mend that reads it.

The images say themselves what they are: three blocks of each are its label, its split and its colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from PIL import Image

from trainer import Data, Split, load

HEIGHT, WIDTH = 12, 16
NAMES = ("cat", "dog", "emu")
EACH = {"": 8, "train": 8, "valid": 2, "test": 3}  # images of a class, by split; "" is of no split
# images of train, valid and test of sets that have these splits of their own
ALONE, WITH_TEST, WITH_VALID, ALL = (15, 3, 6), (21, 3, 9), (18, 6, 6), (24, 6, 9)
COLOUR = (250, 120, 10)
TOLERANCE = 25  # of 255, of pixels that JPEG changed


class Read(NamedTuple):
    """What a kind is read as."""

    counts: Sequence[int] = ALONE
    classes: tuple[str, ...] = NAMES
    input: tuple[int, int, int] = (3, HEIGHT, WIDTH)
    answers: Mapping[str, Any] = {}
    path: str = ""  # below the path that was refused
    labels: tuple[int, ...] = (0, 1, 2)  # marks of the classes, in their order
    colours: tuple[int, ...] = COLOUR  # of the channels


class Kind(NamedTuple):
    """A kind of data set."""

    about: str
    make: Callable[[Path], Path | None]  # returns the path that is given, by default the folder
    refused: str  # part of the sentence; empty where it is read at once
    read: Read | None  # also what the mend of a refusal reads


KINDS: list[Kind] = []


def kind(
    about: str, *, refused: str = "", read: Read | None = None
) -> Callable[[Callable[[Path], Path | None]], Callable[[Path], Path | None]]:
    """Register the decorated function, which writes a data set into an empty folder, as a kind."""

    def register(make: Callable[[Path], Path | None]) -> Callable[[Path], Path | None]:
        KINDS.append(Kind(about, make, refused, read if read or refused else Read()))
        return make

    return register


class Sample(NamedTuple):
    """An image (H, W, 3) and what is known of it."""

    split: str
    label: int
    number: int
    pixels: Any

    @property
    def name(self) -> str:
        """The name of its class."""
        return NAMES[self.label]

    @property
    def stem(self) -> str:
        return f"{self.split or 'img'}_{self.number:02d}"


def samples(*splits: str) -> Iterator[Sample]:
    """Yield the images of some splits, the classes in turn."""
    for split in splits or ("",):
        for number in range(EACH[split] * len(NAMES)):
            label = number % len(NAMES)
            yield Sample(split, label, number, picture(label, split, number))


def picture(label: int, split: str = "", number: int = 0) -> Any:
    """Return an image (H, W, 3) of uint8 whose blocks say its label, its split and its colour."""
    noise = np.random.default_rng(crc32(f"{split} {number}".encode()))
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    half, middle = HEIGHT // 2, WIDTH // 2
    pixels[:half, :middle] = 30 + 70 * label
    pixels[half:, :middle] = 20 + 60 * list(EACH).index(split)
    pixels[:half, middle:] = noise.integers(256, size=(half, middle, 1))
    pixels[half:, middle:] = COLOUR
    return pixels


def save(pixels: Any, path: Path, **options: Any) -> None:
    """Write an image file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".jpg", ".jpeg", ".jfif", ".jpe"):
        options = {"quality": 95, "subsampling": 0, **options}
    Image.fromarray(pixels).save(path, **options)


def grey(pixels: Any) -> Any:
    """Return the first channel."""
    return pixels[..., 0]


DIGITS = ("0", "1", "2")
NUMBERED = {"classes": DIGITS}
GREY = {"input": (1, HEIGHT, WIDTH), "colours": COLOUR[:1]}  # what is read of it


def in_folders(
    root: Path, *splits: str, suffix: str = ".png", pixels: Callable[[Any], Any] = lambda whole: whole
) -> Path:
    """Write class folders, below a folder for each (folder=split) where there are several."""
    for written in splits or ("",):
        folder, _, split = written.partition("=")
        for one in samples(split or folder):
            save(pixels(one.pixels), root / folder / one.name / f"{one.stem}{suffix}")
    return root


def flat(root: Path, *splits: str, suffix: str = ".png") -> list[Sample]:
    """Write the images of some splits into one folder and return them."""
    written = list(samples(*splits))
    for one in written:
        save(one.pixels, root / f"{one.stem}{suffix}")
    return written


def stacked(split: str = "", pixels: Callable[[Any], Any] = lambda whole: whole) -> tuple[Any, Any]:
    """Return images (N, ..) and labels (N,) of a split."""
    found = list(samples(split))
    return np.stack([pixels(one.pixels) for one in found]), np.array([one.label for one in found])


def table(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    """Write a table of texts."""
    lines = [header, *rows] if header else rows
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in lines))
    return file


def check(data: Data, read: Read) -> None:
    """Assert that every image of a data set has the label, the split and the colours that its blocks say."""
    parts = {
        name: Split((part.x.float() * (255 / data.white)).round(), part.y)
        for name, part in (("train", data.train), ("valid", data.valid), ("test", data.test))
    }
    assert [len(part) for part in parts.values()] == list(read.counts)
    assert data.classes == read.classes and data.input == read.input
    height, width = read.input[1:]
    own = {name: _code(part.x[:, :, 3 * height // 4, width // 4]) for name, part in parts.items()}
    stated = {list(EACH)[code] for codes in own.values() for code in codes}
    for name, part in parts.items():
        marks = (part.x[:, :, height // 4, width // 4].float().mean(1) - 30) / 70
        assert [read.labels[label] for label in part.y.tolist()] == marks.round().int().tolist(), name
        assert {list(EACH)[code] for code in own[name]} <= ({name} if name in stated else {"", "train"}), name
        corner = part.x[:, :, 3 * height // 4, 3 * width // 4].float()
        assert (corner - corner.new_tensor(read.colours)).abs().max() <= TOLERANCE, name


def _code(block: Any) -> list[int]:
    codes: list[int] = ((block.float().mean(1) - 20) / 60).round().int().tolist()
    return codes


def loaded(path: Path, read: Read) -> Data:
    """Load a path as a kind says it."""
    return load(path / read.path if read.path else path, **read.answers)
