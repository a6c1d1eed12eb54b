"""Gather: image files with their labels as the parts of a data set."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data import dicom
from trainer.data.encoded import File
from trainer.data.picture import BrokenPicture, pictures, register_heif, sized
from trainer.data.raw import Images, Labels, Part, Raw
from trainer.data.reading import Reading, Size
from trainer.data.seen import Seen
from trainer.data.values import Span, bounds, check_scale, span, to_bytes, told
from trainer.errors import DataError

MAX_AUTO = 96  # pixels of a side of `size: auto`
SHOWN = 3  # broken files that are named


class Listed(NamedTuple):
    """Files of one part, the number of the class of each, and of its group where there are groups."""

    files: Sequence[File]
    labels: Sequence[int]
    groups: Sequence[int] | None = None


class Gathered(NamedTuple):
    """The parts with their images, and the pixels in words."""

    parts: Mapping[str, Part]
    pixels: str

    def raw(self, path: Path, name: str, classes: tuple[str, ...], seen: Seen) -> Raw:
        """Return the data set of a path. A part that it lacks is drawn."""
        train, valid, test = (self.parts.get(part) for part in ("train", "valid", "test"))
        assert train is not None  # every layout refuses images without it
        return Raw(name, classes, train, valid, test, mirror=False, place=str(path), seen=seen)


class _File(NamedTuple):
    """What was read of a file."""

    images: tuple[Images, ...]  # (H, W) or (H, W, C); none where nothing says what its values mean
    spans: tuple[Span, ...]
    sides: tuple[Size, ...] = ()  # (height, width) of each image as it is stored
    fault: str | None = None  # why it is no image


def gather(place: Path, parts: Mapping[str, Listed], reading: Reading) -> Gathered:
    """Read image files, as grey if every file is grey, else as colour.

    Raises DataError for files that cannot be read, sizes that differ where no size is said, numbers of channels that
    differ, and pixels of which nothing says what their values mean.
    """
    size = _size(parts, reading)
    files = {name: [_decode(file, reading, size) for file in part.files] for name, part in parts.items()}
    _check_whole([file for each in files.values() for file in each])
    spans = [one for each in files.values() for file in each for one in file.spans]
    _check_scale(place, files)
    pixels = _told(place, spans, reading) + _resized(files, size)
    _check_sizes(parts, files)
    channels = _channels(parts, files)
    return Gathered({name: _part(parts[name], files[name], channels) for name in parts}, pixels)


def _size(parts: Mapping[str, Listed], reading: Reading) -> Size | None:
    if not isinstance(reading.size, str):
        return reading.size
    sides = [side for part in parts.values() for file in part.files for side in _sides(file)]
    side = min(round(statistics.median(sides)), MAX_AUTO) if sides else MAX_AUTO
    return side, side


def _sides(file: File) -> Size:
    """Return the sides that a file states; its pixels are not decoded."""
    from PIL import Image

    try:
        if dicom.is_dicom(file):
            return dicom.sides(file)
        register_heif(file)
        with file.open("rb") as stream, Image.open(stream) as opened:
            return opened.height, opened.width
    except Exception:  # no library can open it: the reader of its pixels has the word
        return MAX_AUTO, MAX_AUTO


def _decode(file: File, reading: Reading, size: Size | None) -> _File:
    try:
        stored = list(pictures(file, reading))
    except BrokenPicture as error:
        return _File((), (), fault=str(error))
    spans = tuple(span(str(file), one) for one in stored)
    try:
        ends = [bounds(str(file), one, reading, of_files=True) for one in spans]
    except DataError:
        return _File((), spans)  # the values of all files are measured before the user is asked
    images = tuple(sized(to_bytes(one, *end), size) for one, end in zip(stored, ends, strict=True))
    return _File(images, spans, tuple((one.shape[0], one.shape[1]) for one in stored))


def _check_whole(files: Sequence[_File]) -> None:
    faults = [file.fault for file in files if file.fault]
    if faults:
        others = [fault.partition(" cannot be read")[0] for fault in faults[1 : SHOWN + 1]]
        more = (
            f" (so are {', '.join(others)}{' ..' if len(faults) > SHOWN + 1 else ''}: {len(faults)} in all)"
        )
        raise DataError(faults[0] + (more if others else ""))


def _told(place: Path, spans: Sequence[Span], reading: Reading) -> str:
    """Return the pixels in words. Raises DataError where nothing says what their values mean."""
    kinds = sorted({one.kind for one in spans})
    if len(kinds) > 1:
        raise DataError(
            f"{place} has images of {' and of '.join(kinds)}; save all with the same bits a channel"
        )
    whole = reduce(Span.with_, spans)
    return told(whole, *bounds(str(place), whole, reading, of_files=True))


def _check_scale(place: Path, files: Mapping[str, Sequence[_File]]) -> None:
    """Raise DataError where two parts are on two scales; pixels of 8 bits have one by themselves."""
    spans = {part: [one for file in each for one in file.spans] for part, each in files.items()}
    wholes = {f"the {part} images": reduce(Span.with_, each) for part, each in spans.items() if each}
    if all(one.kind != "uint8" for one in wholes.values()):
        check_scale(str(place), wholes)


def _resized(files: Mapping[str, Sequence[_File]], size: Size | None) -> str:
    """Return from which sizes images were resized, the smallest and the largest by their area."""
    sides = {one for each in files.values() for file in each for one in file.sides}
    if size is None or sides == {size}:
        return ""
    least, most = min(sides, key=lambda one: one[0] * one[1]), max(sides, key=lambda one: one[0] * one[1])
    ends = dict.fromkeys(f"{one[0]}x{one[1]}" for one in (least, most))
    return f", resized from {' to '.join(ends)}"


def _check_sizes(parts: Mapping[str, Listed], files: Mapping[str, Sequence[_File]]) -> None:
    first: tuple[File, Images] | None = None
    for name, part in parts.items():
        for path, file in zip(part.files, files[name], strict=True):
            for image in file.images:
                first = first or (path, image)
                if image.shape[:2] != first[1].shape[:2]:
                    raise DataError(
                        f"{path} is {_sided(image)} but {first[0]} is {_sided(first[1])}; make all images one size, or "
                        "give a size such as 32, or auto for the median side (data.size in a study, --size)"
                    )


def _channels(parts: Mapping[str, Listed], files: Mapping[str, Sequence[_File]]) -> int:
    """Return the channels of all images: grey ones become colour where there are colours."""
    found: dict[int, File] = {}
    for name, part in parts.items():
        for path, file in zip(part.files, files[name], strict=True):
            found.update({1 if image.ndim == 2 else image.shape[2]: path for image in file.images})
    if len(set(found) - {1}) > 1 or (1 in found and max(found) > 3):
        listed = ", ".join(f"{path} has {count}" for count, path in sorted(found.items()))
        raise DataError(f"the numbers of channels differ: {listed}; give all images the same channels")
    return max(found)


def _part(listed: Listed, files: Sequence[_File], channels: int) -> Part:
    counts = [len(file.images) for file in files]
    images = [image for file in files for image in file.images]
    x = np.empty((len(images), channels, *images[0].shape[:2]), np.uint8)
    for place, image in enumerate(images):
        x[place] = image if image.ndim == 2 else image.transpose(2, 0, 1)  # grey fills every channel
    groups = listed.groups or (range(len(files)) if max(counts) > 1 else None)
    kind = "groups" if listed.groups else "files of several pages"
    return Part(
        x, _repeated(listed.labels, counts), None if groups is None else _repeated(groups, counts), kind
    )


def _repeated(numbers: Sequence[int], counts: Sequence[int]) -> Labels:
    return np.repeat(np.asarray(numbers, dtype=np.int64), counts)


def _sided(image: Images) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
