"""Reading: what a user says of images that could be read in more than one way. Loads no NumPy and no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from trainer.errors import DataError

MAX_PIXELS = 4096  # of a side
MAX_BITS = 32
ORDERS, GROUNDS, PAGES = ("first", "last"), ("white", "black", "drop"), ("first", "each")
DEPTHS = (8, 16)
FITS = ("stretch", "crop", "pad")
MAX_MEGAPIXELS = 10_000
MOST_DAMAGED = 0.5
# what pictures that come later are read by, too
OF_PIXELS = ("fit", "draft", "megapixels", "alpha", "bits", "depth", "range", "pages")

Size = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """The answers to what files leave open. None leaves the answer to the files; what they leave open is refused."""

    # word of the layout, as in docs/data.md
    layout: str | None = None
    # (height, width) to which every picture is resized, or auto: the median side
    size: Size | str | None = None
    # how a picture of other proportions becomes `size`: stretched, its middle cropped, or padded with black
    fit: str | None = None
    # whether JPEG files are decoded at a fraction of their size where that is at least twice `size`
    draft: bool | None = None
    # of the largest picture that is read, in millions; by default Pillow's limit
    megapixels: float | None = None
    # share of picture files that may be damaged and are then left out
    damaged: float | None = None
    # axis of the channels of an array: first of an image, or last
    channels: str | None = None
    # ground below transparent pixels: white, black, or drop for the colours that stand below the transparency
    alpha: str | None = None
    # bits a channel: the values are 0 .. 2**bits - 1
    bits: int | None = None
    # bits a channel that are kept, 8 or 16; by default 8 where they hold every value
    depth: int | None = None
    # (low, high): the values that become black and white; those outside are clipped
    range: tuple[float, float] | None = None
    # of a file with several pages or frames: the first one, or each as an image of its own
    pages: str | None = None
    # folders that are the classes; of arrays and tables the names of the classes in the order of their labels
    classes: tuple[str, ...] | None = None
    # whether an image may have several labels, or none, in place of one class
    multilabel: bool | None = None
    # patterns of files that are left out, such as *_mask.png
    skip: tuple[str, ...] | None = None
    # columns of a table, or arrays of a file: images and labels; and what may not be in two splits, as a patient:
    # a column of a table, or of class folders a regular expression that finds it in a file's path, as patient(\d+)
    image: str | None = None
    label: str | None = None
    group: str | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Reading:
        """Check plain values, as YAML or keywords give them. Raises DataError, one sentence, for the first mistake."""
        known = {field.name for field in fields(cls)}
        for key in values:
            if key not in known:
                raise DataError(f"{key} is no key of data; it may be {', '.join(sorted(known))}")
        return cls(**{key: _CHECKS[key](key, value) for key, value in values.items() if value is not None})

    def given(self) -> dict[str, Any]:
        """Return what is said, as plain values."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(self.size, tuple) and self.size[0] == self.size[1]:
            said["size"] = self.size[0]
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in said.items()
            if value is not None
        }

    def of_table(self) -> bool:
        """Return whether anything is said of the columns of a table."""
        return any((self.image, self.label, self.group))

    def of_pixels(self) -> dict[str, Any]:
        """Return what is said of pixels: pictures that come later are read by it too."""
        return {key: value for key, value in self.given().items() if key in OF_PIXELS}


def _word(*allowed: str) -> Any:
    def check(key: str, value: Any) -> str:
        if value not in allowed:
            raise DataError(f"{key} is {value!r}; it may be {', '.join(allowed)}")
        return str(value)

    return check


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise DataError(f"{key} is {value!r}; it must be text")
    return value


def _size(key: str, value: Any) -> Size | str:
    if value == "auto":
        return "auto"
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= MAX_PIXELS for side in sides):
        raise DataError(
            f"size is {value!r}; it must be 1..{MAX_PIXELS} pixels of a side, as 32, a height and a width, as "
            "[24, 32] (--size 24x32), or auto"
        )
    return sides[0], sides[1]


def _switch(key: str, value: Any) -> bool:
    if type(value) is not bool:
        raise DataError(f"{key} is {value!r}; it must be true or false")
    return value


def _megapixels(key: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= MAX_MEGAPIXELS:
        raise DataError(f"megapixels is {value!r}; it must be a number up to {MAX_MEGAPIXELS}, such as 200")
    return float(value)


def _share(key: str, value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else value
    if type(share) not in (int, float) or not 0 <= share < MOST_DAMAGED:
        raise DataError(f"{key} is {value!r}; it must be a share below {MOST_DAMAGED:.0%}, such as 1%")
    return float(share)


def _bits(key: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_BITS:
        raise DataError(f"bits is {value!r}; it must be 1..{MAX_BITS}, such as 12")
    return value


def _depth(key: str, value: Any) -> int:
    if type(value) is not int or value not in DEPTHS:
        raise DataError(f"depth is {value!r}; it may be 8 or 16")
    return value


def _range(key: str, value: Any) -> tuple[float, float]:
    numbers = tuple(value) if isinstance(value, list | tuple) else ()
    if len(numbers) != 2 or not all(type(one) in get_args(int | float) for one in numbers):
        raise DataError(f"range is {value!r}; it must be two numbers, such as [0, 4095]")
    low, high = float(numbers[0]), float(numbers[1])
    if not -1e300 < low < high < 1e300:
        raise DataError(f"range is {value!r}; the first number must be lower than the second")
    return low, high


def _texts(key: str, value: Any) -> tuple[str, ...]:
    words = tuple(value) if isinstance(value, list | tuple) else ()
    if (
        isinstance(value, str)
        or len(set(words)) < len(words)
        or not all(isinstance(one, str) for one in words)
    ):
        raise DataError(f"{key} is {value!r}; it must be a list of different texts")
    return words


def _classes(key: str, value: Any) -> tuple[str, ...]:
    # YAML reads names of digits as numbers
    numbered = isinstance(value, list | tuple) and all(type(one) in (int, str) for one in value)
    words = _texts(key, [str(one) for one in value] if numbered else value)
    if len(words) < 2:
        raise DataError(f"classes has {len(words)} names; at least 2 are needed")
    return words


_CHECKS: Mapping[str, Any] = {
    "layout": _text,
    "size": _size,
    "fit": _word(*FITS),
    "draft": _switch,
    "megapixels": _megapixels,
    "damaged": _share,
    "channels": _word(*ORDERS),
    "alpha": _word(*GROUNDS),
    "bits": _bits,
    "depth": _depth,
    "range": _range,
    "pages": _word(*PAGES),
    "classes": _classes,
    "multilabel": _switch,
    "skip": _texts,
    "image": _text,
    "label": _text,
    "group": _text,
}
