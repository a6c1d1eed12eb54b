"""DICOM: medical images, as their pixels are meant. No tag is ever read as a label."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from trainer.data.encoded import File
from trainer.data.extras import needed
from trainer.data.pages import check_pages
from trainer.data.raw import Array
from trainer.data.reading import Reading, Size
from trainer.errors import DataError

SUFFIXES = frozenset({".dcm", ".dicom"})
MAGIC_AT, MAGIC = 128, b"DICM"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(file: File) -> bool:
    """Whether a file is named as DICOM."""
    return PurePath(str(file)).suffix.lower() in SUFFIXES


def begins_as_dicom(file: Path) -> bool:
    """Whether a file is DICOM by its first bytes, whatever its name."""
    with file.open("rb") as stream:
        return stream.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC


def read_dicom(file: File, reading: Reading) -> Iterator[Array]:
    """Yield the frames as (H, W) or (H, W, 3): black is low, in the units that the file's rescaling gives.

    Without rescaling the numbers are those stored. Raises DataError where pydicom or a decoder is missing, and what
    pydicom raises for damaged files.
    """
    pydicom = _pydicom(file)
    with file.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of tags that are not used here
        found = pydicom.dcmread(stream)
        if not any(name in found for name in PIXELS):
            raise DataError(f"{file} is DICOM without an image ({_kind(found)}); remove it")
        frames = int(found.get("NumberOfFrames") or 1)
        check_pages(file, frames, reading)
        _check_decoder(file, found, pydicom)
        for frame in range(frames if reading.pages == "each" else 1):
            yield _interpreted(pydicom.pixels.pixel_array(found, index=frame), found, pydicom)


def sides(file: File) -> Size:
    """Return (height, width) without decoding the pixels. Raises what pydicom raises for damaged files."""
    with file.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = _pydicom(file).dcmread(stream, stop_before_pixels=True)
    return int(found.Rows), int(found.Columns)


def _pydicom(file: File) -> Any:
    return needed("pydicom", "dicom", f"{file} is DICOM")


def _kind(found: Any) -> str:
    uid = found.get("SOPClassUID")
    return getattr(uid, "name", None) or "of no kind that it states"


def _check_decoder(file: File, found: Any, pydicom: Any) -> None:
    syntax = found.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    try:
        decoder = pydicom.pixels.get_decoder(syntax)
    except NotImplementedError:
        raise DataError(
            f"{file} is DICOM in {syntax.name}, which is not read; save it uncompressed"
        ) from None
    if not decoder.is_available:
        raise DataError(
            f"{file} is DICOM in {syntax.name}; install a decoder, as with `pip install pylibjpeg[all]`, or save it "
            "uncompressed"
        )


def _interpreted(stored: Array, found: Any, pydicom: Any) -> Array:
    """Return pixels as they are meant: colours of a palette, white above black, and rescaled."""
    kind = found.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        return np.asarray(pydicom.pixels.apply_color_lut(stored, found))
    if kind == "MONOCHROME1":
        stored = _inverted(stored, found)
    slope, intercept = float(found.get("RescaleSlope") or 1), float(found.get("RescaleIntercept") or 0)
    if (slope, intercept) == (1, 0):
        return stored
    return (stored * slope + intercept).astype(np.float32)


def _inverted(stored: Array, found: Any) -> Array:
    """Return pixels whose zero is white with black as the lowest value, within the bits that are stored."""
    if stored.dtype.kind == "f":
        return -stored
    both_ends = -1 if found.PixelRepresentation else 2 ** int(found.BitsStored) - 1  # lowest value + highest
    return (both_ends - stored.astype(np.int64)).astype(stored.dtype)
