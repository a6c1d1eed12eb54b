"""Deep: pictures of more than 8 bits a channel, or of more bands than Pillow knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.encoded import File
from trainer.data.extras import needed
from trainer.data.pages import check_pages
from trainer.data.raw import Array
from trainer.data.reading import Reading, Size
from trainer.errors import DataError, OpenQuestion

if TYPE_CHECKING:
    from PIL.Image import Image

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, SAMPLES, EXTRA, PHOTOMETRIC, FORMAT, ORIENTATION = 258, 277, 338, 262, 339, 274  # tags of TIFF
WHITE_IS_ZERO = 0  # value of PHOTOMETRIC
UNSIGNED, SIGNED = 1, 2  # values of FORMAT
ALPHA = (1, 2)  # values of the tag of extra samples
DEPTH_AT = 24  # byte of a PNG's header with its bits a channel


def is_deep_png(opened: Image, file: File) -> bool:
    """Whether a PNG has 16 bits in several channels, of which Pillow keeps the upper 8."""
    if opened.format != "PNG" or opened.mode in ("I;16", "I;16B", "I"):
        return False
    with file.open("rb") as stream:
        return stream.read(DEPTH_AT + 1)[DEPTH_AT:] == b"\x10"


def read_png(file: File, reading: Reading) -> Array:
    """Read a PNG of 16 bits a channel as uint16 (H, W, C), or (H, W) where it is grey with an opaque alpha channel.

    Raises DataError where pypng is not installed.
    """
    png = needed("png", "deep", f"{file} is a PNG of 16 bits in several channels", package="pypng")
    with file.open("rb") as stream:
        width, height, rows, about = png.Reader(file=stream).read()
        pixels = np.vstack([np.asarray(row, dtype=np.uint16) for row in rows])
    pixels = pixels.reshape(height, width, about["planes"])
    return without_alpha(file, pixels, reading) if about["alpha"] else pixels


def is_tiff_beyond_pillow(file: File) -> bool:
    """Whether a file is a TIFF that Pillow cannot open or reads wrong: deep colours, bands, values of another sign."""
    with file.open("rb") as stream:
        if stream.read(4) not in TIFF_MAGIC:
            return False
    from PIL import Image, UnidentifiedImageError

    try:
        with _quiet_pillow(), file.open("rb") as stream, Image.open(stream) as opened:
            tags: Any = getattr(opened, "tag_v2", {})
            return _is_beyond(tags)
    except UnidentifiedImageError:
        return True


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Keep Pillow from logging an error for each file of more bands than it knows: another library reads them."""
    log = logging.getLogger("PIL.TiffImagePlugin")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _is_beyond(tags: Any) -> bool:
    samples, extra = tags.get(SAMPLES, 1), tags.get(EXTRA, ())
    bits = max(np.atleast_1d(tags.get(BITS, 1)))
    has_alpha = bool(extra) and extra[-1] in ALPHA
    colours = samples - has_alpha
    is_cmyk = tags.get(PHOTOMETRIC) == 5
    signs = set(np.atleast_1d(tags.get(FORMAT, UNSIGNED)).tolist())
    other_sign = (bits > 16 and UNSIGNED in signs) or (bits == 8 and SIGNED in signs)
    return bool(
        other_sign or (samples > 1 and bits > 8) or not (colours in (1, 3) or (is_cmyk and colours == 4))
    )


def read_tiff(file: File, reading: Reading) -> Iterator[Array]:
    """Yield the pages of a TIFF as (H, W) or (H, W, C). Raises DataError where tifffile is not installed."""
    with file.open("rb") as stream, _tifffile(file).TiffFile(stream) as opened:
        check_pages(file, len(opened.pages), reading)
        for page in list(opened.pages)[: None if reading.pages == "each" else 1]:
            yield _page(file, page, reading)


def sides(file: File) -> Size:
    """Return (height, width) of a TIFF's first page without decoding it. Raises what tifffile raises."""
    with file.open("rb") as stream, _tifffile(file).TiffFile(stream) as opened:
        page = opened.pages[0]
        return page.imagelength, page.imagewidth


def _tifffile(file: File) -> Any:
    return needed("tifffile", "deep", f"{file} is a TIFF of deep, signed or many channels")


def check_limit(pixels: int) -> None:
    """Raise Pillow's error for an image of more pixels than Pillow would open."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(f"it has {pixels} pixels")


def _page(file: File, page: Any, reading: Reading) -> Array:
    check_limit(page.imagelength * page.imagewidth)
    pixels, axes = page.asarray(), page.axes
    if set(axes) - set("YXS"):
        raise DataError(f"{file} has the axes {axes}; volumes (3D) are not supported: save its slices")
    pixels = np.moveaxis(pixels, axes.index("S"), -1) if "S" in axes else pixels
    if pixels.ndim == 3 and page.extrasamples and page.extrasamples[-1] in ALPHA:
        pixels = without_alpha(file, pixels, reading)
    tag = page.tags.get(ORIENTATION)
    turned = upright(np.asarray(pixels), tag.value if tag else 1)
    return black_is_zero(file, turned, page.bitspersample) if page.photometric == WHITE_IS_ZERO else turned


def upright(pixels: Array, orientation: int) -> Array:
    """Return (H, W) or (H, W, C) turned by TIFF's tag of orientation; values other than 2..8 leave it."""
    across = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return across[rows, columns]


def black_is_zero(file: File, pixels: Array, bits: int) -> Array:
    """Return pixels that are stored with zero as white, inverted. Raises DataError where they have no largest value.

    bits: of a channel.
    """
    if pixels.dtype.kind not in "bu":
        raise DataError(
            f"{file} is {pixels.dtype} with zero as white, and nothing says which value is black; save it with "
            "photometric MinIsBlack"
        )
    return ~pixels if pixels.dtype.kind == "b" else pixels.dtype.type(2**bits - 1) - pixels


def is_white_zero(opened: Image) -> bool:
    """Whether a TIFF stores white as zero; Pillow inverts such pixels of up to 8 bits alone."""
    tags: Any = getattr(opened, "tag_v2", {})
    return bool(tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)


def without_alpha(file: File, pixels: Array, reading: Reading) -> Array:
    """Return (H, W, C) without its last channel, which is opaque or is dropped as the user says."""
    if reading.alpha != "drop" and (pixels[..., -1] != np.iinfo(pixels.dtype).max).any():
        raise OpenQuestion(
            f"{file} has transparent pixels and more than 8 bits a channel",
            "say alpha: drop for the colours that are stored below the transparency, or save it without alpha",
        )
    colours = pixels[..., :-1]
    return colours[..., 0] if colours.shape[2] == 1 else colours
