"""Gather: image files with their labels as the parts of a data set."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data.decode import Decoded, all_sides, decoded
from trainer.data.encoded import File
from trainer.data.raw import Labels, Part, Raw
from trainer.data.reading import Reading, Size
from trainer.data.seen import Seen, counted
from trainer.data.spool import Held, Rows
from trainer.data.values import Span, bounds, check_scale, kind_of, told
from trainer.errors import DataError

MAX_AUTO = 96  # pixels of a side of `size: auto`
SHOWN = 10  # broken files that are named
DAMAGED = "damaged"


class Listed(NamedTuple):
    """Files of one part, the number of the class of each or its labels, and of its group where there are groups."""

    files: Sequence[File]
    labels: Sequence[int | Sequence[int]]
    groups: Sequence[int] | None = None

    def chosen(self, places: Sequence[int]) -> Listed:
        """Return some of the files."""
        groups = None if self.groups is None else [self.groups[place] for place in places]
        return Listed(
            [self.files[place] for place in places], [self.labels[place] for place in places], groups
        )


class Gathered(NamedTuple):
    """The parts with their images, and the pixels in words."""

    parts: Mapping[str, Part]
    pixels: str
    scale: tuple[float, float]  # the values that are black and white
    broken: Sequence[str] = ()  # damaged files, which were left out
    reducible: int = 0  # as `Seen.reducible`

    def raw(self, path: Path, name: str, classes: tuple[str, ...], seen: Seen) -> Raw:
        """Return the data set of a path. A part that it lacks is drawn."""
        train, valid, test = (self.parts.get(part) for part in ("train", "valid", "test"))
        assert train is not None  # every layout refuses images without it
        skipped = (*seen.skipped, *counted((DAMAGED, file) for file in self.broken))
        notes = (*seen.notes, *([f"damaged: {_listed(self.broken)}"] if self.broken else []))
        about = seen._replace(skipped=skipped, notes=notes, scale=self.scale, reducible=self.reducible)
        return Raw(name, classes, train, valid, test, mirror=False, place=str(path), seen=about)


def gather(place: Path, parts: Mapping[str, Listed], reading: Reading) -> Gathered:
    """Read image files, as grey if every file is grey, else as colour.

    Raises DataError for files that cannot be read, sizes that differ where no size is said, numbers of channels that
    differ, and pixels of which nothing says what their values mean.
    """
    size = _size(parts, reading)
    if size is None and (said := [key for key in ("fit", "draft") if getattr(reading, key)]):
        raise DataError(
            f"{said[0]} is given without a size, and no picture is resized; give a size such as 32, or auto"
        )
    found = decoded([file for part in parts.values() for file in part.files], reading, size)
    broken = _broken(parts, found, reading)
    parts, files = _whole(parts, found)
    spans = [one for each in files.values() for file in each for one in file.spans]
    _check_scale(place, files)
    pixels, scale = _told(place, spans, reading)
    pixels += _resized(files, size)
    _check_sizes(parts, files)
    channels = _channels(parts, files)
    made = {name: _part(parts[name], files[name], channels) for name in parts}
    reducible = sum(one.reducible for each in files.values() for one in each)
    return Gathered(made, pixels, scale, broken, reducible)


def _size(parts: Mapping[str, Listed], reading: Reading) -> Size | None:
    if not isinstance(reading.size, str):
        return reading.size
    every = [file for part in parts.values() for file in part.files]
    sides = [side for both in all_sides(every, reading) for side in both]
    side = min(round(statistics.median(sides)), MAX_AUTO) if sides else MAX_AUTO
    return side, side


def _broken(parts: Mapping[str, Listed], found: Sequence[Decoded], reading: Reading) -> list[str]:
    """Return the damaged files. Raises DataError, with their names, where they are more than is said."""
    files = [file for part in parts.values() for file in part.files]
    broken = [str(file) for file, one in zip(files, found, strict=True) if one.fault]
    if len(broken) <= (reading.damaged or 0) * len(files):
        return broken
    fault = next(one.fault for one in found if one.fault)
    share = f"{len(broken)} of {len(files):,} files are damaged, {len(broken) / len(files):.2%}"
    if reading.damaged:
        raise DataError(f"{share} (damaged: {reading.damaged:.2%} is said): {_listed(broken)}; {fault}")
    others = f" (so are {_listed(broken[1:])})" if len(broken) > 1 else ""
    raise DataError(f"{fault}{others}, or leave such files out with damaged: 1% ({share})")


def _listed(files: Sequence[str]) -> str:
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    return ", ".join(files[:SHOWN]) + more


def _whole(
    parts: Mapping[str, Listed], found: Sequence[Decoded]
) -> tuple[Mapping[str, Listed], Mapping[str, Sequence[Decoded]]]:
    """Return the parts, and what was read of them, without damaged files."""
    left, files, start = {}, {}, 0
    for name, part in parts.items():
        each = found[start : start + len(part.files)]
        start += len(each)
        left[name] = part.chosen([place for place, one in enumerate(each) if not one.fault])
        if not left[name].files:
            raise DataError(
                f"all {len(each)} {name} files are damaged, such as {part.files[0]}; replace them"
            )
        files[name] = [one for one in each if not one.fault]
    return left, files


def _told(place: Path, spans: Sequence[Span], reading: Reading) -> tuple[str, tuple[float, float]]:
    """Return the pixels in words, and the values that are black and white.

    Raises DataError where nothing says what their values mean.
    """
    kinds = sorted({one.kind for one in spans})
    if len(kinds) > 1:
        raise DataError(
            f"{place} has images of {' and of '.join(kinds)}; save all with the same bits a channel"
        )
    whole = reduce(Span.with_, spans)
    low, high = bounds(str(place), whole, reading, of_files=True)
    return told(whole, low, high, kind_of(whole, low, high, reading)), (low, high)


def _check_scale(place: Path, files: Mapping[str, Sequence[Decoded]]) -> None:
    """Raise DataError where two parts are on two scales; pixels of 8 bits have one by themselves."""
    spans = {part: [one for file in each for one in file.spans] for part, each in files.items()}
    wholes = {f"the {part} images": reduce(Span.with_, each) for part, each in spans.items() if each}
    if all(one.kind != "uint8" for one in wholes.values()):
        check_scale(str(place), wholes)


def _resized(files: Mapping[str, Sequence[Decoded]], size: Size | None) -> str:
    """Return from which sizes images were resized, the smallest and the largest by their area."""
    sides = {one for each in files.values() for file in each for one in file.sides}
    if size is None or sides == {size}:
        return ""
    least, most = min(sides, key=lambda one: one[0] * one[1]), max(sides, key=lambda one: one[0] * one[1])
    ends = dict.fromkeys(f"{one[0]}x{one[1]}" for one in (least, most))
    return f", resized from {' to '.join(ends)}"


def _check_sizes(parts: Mapping[str, Listed], files: Mapping[str, Sequence[Decoded]]) -> None:
    first: tuple[File, Held] | None = None
    for name, part in parts.items():
        for path, file in zip(part.files, files[name], strict=True):
            for image in file.images:
                first = first or (path, image)
                if image.shape[:2] != first[1].shape[:2]:
                    raise DataError(
                        f"{path} is {_sided(image)} but {first[0]} is {_sided(first[1])}; make all images one size, or "
                        "give a size such as 32, or auto for the median side (data.size in a study, --size)"
                    )


def _channels(parts: Mapping[str, Listed], files: Mapping[str, Sequence[Decoded]]) -> int:
    """Return the channels of all images: grey ones become colour where there are colours."""
    found: dict[int, File] = {}
    for name, part in parts.items():
        for path, file in zip(part.files, files[name], strict=True):
            found.update({1 if len(image.shape) == 2 else image.shape[2]: path for image in file.images})
    if len(set(found) - {1}) > 1 or (1 in found and max(found) > 3):
        listed = ", ".join(f"{path} has {count}" for count, path in sorted(found.items()))
        raise DataError(f"the numbers of channels differ: {listed}; give all images the same channels")
    return max(found)


def _part(listed: Listed, files: Sequence[Decoded], channels: int) -> Part:
    counts = [len(file.images) for file in files]
    images = [image for file in files for image in file.images]
    x = Rows(images, channels, images[0].shape[:2], np.result_type(*{image.dtype for image in images}))
    y = _repeated(listed.labels, counts)
    if listed.groups:
        return Part(x, y, _repeated(listed.groups, counts), "groups")
    pages = _repeated(range(len(files)), counts) if max(counts) > 1 else None
    return Part(x, y, pages, "files of several pages")


def _repeated(numbers: Sequence[int | Sequence[int]], counts: Sequence[int]) -> Labels:
    return np.repeat(np.asarray(numbers, dtype=np.int64), counts, axis=0)


def _sided(image: Held) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
