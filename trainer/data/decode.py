"""Decode: picture files as images of one size, by several processes where there are many files."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple, TypeVar

from tqdm import tqdm

from trainer.data import deep, dicom
from trainer.data.encoded import File
from trainer.data.picture import BrokenPicture, fitted, limited, measured, pictures, register_heif
from trainer.data.reading import Reading, Size
from trainer.data.spool import Held, kept, spool_folder
from trainer.data.values import Span, span
from trainer.errors import DataError
from trainer.system.cpu import usable_cores
from trainer.system.processes import without_main
from trainer.system.signals import ignore_stops

MANY = 1_000  # files from which on further processes are worth their start
CHUNK = 32  # files that a process gets at a time
BYTES = Span("uint8", 0, 255, True)
TOLD_AFTER = 2.0  # seconds without a progress line

Out = TypeVar("Out")


class Decoded(NamedTuple):
    """What was read of a file."""

    images: tuple[Held, ...]  # (H, W) or (H, W, C); none where nothing says what its values mean
    spans: tuple[Span, ...]
    sides: tuple[Size, ...] = ()  # (height, width) of each image as it is stored
    fault: str | None = None  # why it is no image
    reducible: int = 0  # images that `draft` decodes, or would decode, at a fraction of their size


def decoded(files: Sequence[File], reading: Reading, size: Size | None) -> list[Decoded]:
    """Return what each file holds, in their order. Raises DataError for a question that a file leaves open."""
    return list(_each(partial(_decode, reading, size, spool_folder()), files, "decoding"))


def all_sides(files: Sequence[File], reading: Reading) -> list[Size]:
    """Return (height, width) of each file that is an image; its pixels are not decoded."""
    return [one for one in _each(partial(_sides, reading), files, "measuring") if one is not None]


def _each(one: Callable[[File], Out], files: Sequence[File], doing: str) -> Iterator[Out]:
    shown = partial(
        tqdm, total=len(files), desc=f"{doing} images", delay=TOLD_AFTER, disable=None, leave=False
    )
    if not _has_helpers(len(files)):
        yield from shown(map(one, files))
        return
    with _pool() as pool:
        try:
            yield from shown(pool.map(one, files, chunksize=CHUNK))
        except BrokenProcessPool:
            raise DataError(
                "a process that decoded images was killed, by the system for its memory or by a damaged file; run it "
                "again, or with a smaller part of the files to find that one"
            ) from None


def _has_helpers(files: int) -> bool:
    return files >= MANY and usable_cores() > 1 and not multiprocessing.current_process().daemon


@contextmanager
def _pool() -> Iterator[ProcessPoolExecutor]:
    # spawned, because the fork server of the workers must import torch before it starts
    context = multiprocessing.get_context("spawn")
    with without_main():
        pool = ProcessPoolExecutor(usable_cores(), context, _begin)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ignore in this process what ends a run, and end it with its parent, also where that is killed."""
    ignore_stops()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _decode(reading: Reading, size: Size | None, folder: Path | None, file: File) -> Decoded:
    try:
        found = list(pictures(file, reading, size))
    except BrokenPicture as error:
        return Decoded((), (), fault=str(error))
    place, is_told = str(file), (reading.bits, reading.range, reading.depth) == (None, None, None)
    # what 8 bits mean does not depend on their values, and those of the smaller image are measured faster
    spans = tuple(BYTES if is_told and one.is_of_bytes else measured(place, one.pixels) for one in found)
    try:
        images = [fitted(place, one.pixels, of, size, reading) for one, of in zip(found, spans, strict=True)]
    except DataError:
        return Decoded((), spans)  # the values of all files are measured before the user is asked
    spans = tuple(span(place, image) if of is BYTES else of for image, of in zip(images, spans, strict=True))
    sides, reducible = tuple(one.sides for one in found), sum(one.reducible for one in found)
    return Decoded(kept(images, folder), spans, sides, reducible=reducible)


def _sides(reading: Reading, file: File) -> Size | None:
    from PIL import Image

    try:
        if dicom.is_dicom(file):
            return dicom.sides(file)
        with limited(reading):
            if deep.is_tiff_beyond_pillow(file):
                return deep.sides(file)
            register_heif(file)
            with file.open("rb") as stream, Image.open(stream) as opened:
                return opened.height, opened.width
    except Exception:  # no library can open it: the reader of its pixels has the word
        return None
