"""Picture: one image file as pixels, upright, with its alpha channel and its pages read as the user says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data import deep, dicom
from trainer.data.encoded import File
from trainer.data.extras import needed
from trainer.data.pages import check_pages
from trainer.data.raw import Array, Images
from trainer.data.reading import Reading, Size
from trainer.data.values import bounds, span, to_bytes
from trainer.errors import DataError, OpenQuestion

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".dcm",
        ".dicom",
        ".gif",
        ".heic",
        ".heif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)
# Image files that people have and Pillow cannot read without a further package: they are named, not passed over.
UNREAD = frozenset(
    {
        ".arw",
        ".cr2",
        ".dng",
        ".jp2",
        ".jxl",
        ".mha",
        ".nef",
        ".nii",
        ".nrrd",
        ".psd",
        ".svg",
    }
)
HEIF = frozenset({".heic", ".heif"})
GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})
DEEP = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
PAGED = frozenset({"TIFF", "GIF", "PNG", "WEBP", "AVIF"})  # further images of a camera's MPO are its previews
ORIENTATION = 0x0112  # tag of EXIF
PLAIN = Reading()


class BrokenPicture(DataError):
    """A file that is no whole image."""


def read_picture(file: File, size: Size | None, mode: str | None = None, reading: Reading = PLAIN) -> Images:
    """Return one image as (H, W) if grey, else (H, W, C), of 0..255. Raises DataError, one sentence.

    size: (height, width) to which it is resized.  mode: L or RGB; by default that of the file.
    """
    return sized(as_bytes(file, next(pictures(file, reading, mode)), reading), size)


def pictures(file: File, reading: Reading, mode: str | None = None) -> Iterator[Array]:
    """Yield the images of one file, (H, W) or (H, W, C), as they are stored. Raises DataError, one sentence."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            if dicom.is_dicom(file):
                yield from dicom.read_dicom(file, reading)
                return
            if deep.is_tiff_beyond_pillow(file):
                yield from deep.read_tiff(file, reading)
                return
            register_heif(file)
            with file.open("rb") as stream, Image.open(stream) as opened:
                yield from _frames(opened, file, reading, mode)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise BrokenPicture(
            f"{file} cannot be read as an image (its first bytes are of no known format); replace or remove it"
        ) from None
    except Exception as error:  # a damaged file can raise nearly any exception
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BrokenPicture(f"{file} cannot be read as an image ({reason}); replace or remove it") from None


def register_heif(file: File) -> None:
    """Let Pillow read HEIC where a file is of it. Raises DataError where pillow-heif is not installed."""
    if PurePath(str(file)).suffix.lower() in HEIF:
        needed("pillow_heif", "heic", f"{file} is HEIC", package="pillow-heif").register_heif_opener()


def as_bytes(file: File, pixels: Array, reading: Reading) -> Images:
    """Return the pixels of one file as 0..255. Raises DataError where nothing says what their values mean."""
    found = span(str(file), pixels)
    return to_bytes(pixels, *bounds(str(file), found, reading, of_files=True))


def sized(pixels: Images, size: Size | None) -> Images:
    """Return pixels (H, W) or (H, W, C) resized to (height, width)."""
    from PIL import Image

    if size is None or pixels.shape[:2] == tuple(size):
        return pixels

    def one(plane: Images) -> Images:
        return np.asarray(Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BILINEAR))

    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return one(pixels)
    return np.stack([one(np.ascontiguousarray(pixels[..., band])) for band in range(pixels.shape[2])], axis=2)


def _frames(opened: Image, file: File, reading: Reading, mode: str | None) -> Iterator[Array]:
    frames = getattr(opened, "n_frames", 1) if opened.format in PAGED else 1
    check_pages(file, frames, reading)
    for frame in range(frames if reading.pages == "each" else 1):
        if frames > 1:
            opened.seek(frame)
        yield _pixels(opened, file, reading, mode)


def _pixels(opened: Image, file: File, reading: Reading, mode: str | None) -> Array:
    if deep.is_deep_png(opened, file):
        return deep.read_png(file, reading)
    if opened.mode in DEEP:
        stored = np.asarray(_upright(opened))
        return deep.black_is_zero(file, stored, 16) if deep.is_white_zero(opened) else stored
    if opened.mode not in GREY | COLOUR:
        raise DataError(f"{file} has pixels of mode {opened.mode}; save it with 8 bits a channel")
    kind = mode or ("L" if opened.mode in GREY else "RGB")
    return np.asarray(_on_ground(_upright(opened), file, reading).convert(kind), dtype=np.uint8)


def _upright(opened: Image) -> Image:
    """Return the image turned as the camera was held; where EXIF is damaged, as it is stored."""
    from PIL.Image import Transpose

    opened.load()
    try:
        turned: Any = opened.getexif().get(ORIENTATION)
    except Exception:  # Pillow raises errors of many types for damaged EXIF; the pixels are whole
        turned = None
    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(turned if isinstance(turned, int) else 1)
    return opened.copy() if method is None else opened.transpose(method)


def _on_ground(image: Image, file: File, reading: Reading) -> Image:
    """Return the image with its transparent pixels on the ground that the user says."""
    from PIL import Image as pillow

    if not image.has_transparency_data or reading.alpha == "drop":
        return image
    layered = image.convert("RGBA")
    if layered.getchannel("A").getextrema()[0] == 255:
        return image
    if reading.alpha is None:
        raise OpenQuestion(f"{file} has transparent pixels", _grounds(layered))
    ground = pillow.new("RGBA", layered.size, reading.alpha)
    return pillow.alpha_composite(ground, layered).convert("L" if image.mode in GREY else "RGB")


def _grounds(layered: Image) -> str:
    """Return the question of the ground, the one with more contrast first."""
    from PIL import Image as pillow

    contrast = {
        colour: _contrast(pillow.alpha_composite(pillow.new("RGBA", layered.size, colour), layered))
        for colour in ("white", "black")
    }
    first, second = sorted(contrast, key=lambda colour: -contrast[colour])
    return (
        f"say alpha: {first} or alpha: {second} for the ground below them ({first} shows more contrast here), or "
        "alpha: drop for the colours that are stored below the transparency"
    )


def _contrast(image: Image) -> float:
    return float(np.asarray(image.convert("L")).std())
