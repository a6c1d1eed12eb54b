"""Picture: one image file as pixels, upright, with its alpha channel and its pages read as the user says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer.data import deep, dicom
from trainer.data.encoded import File
from trainer.data.extras import needed
from trainer.data.pages import check_pages
from trainer.data.raw import Array, Images
from trainer.data.reading import Reading, Size
from trainer.data.resize import resized, sized
from trainer.data.values import Span, bounds, kind_of, scaled, span
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
MILLION = 1_000_000
GAP = 2  # sides of a JPEG that is decoded at a fraction of its size, in those of the image that is made of it
PLAIN = Reading()


class BrokenPicture(DataError):
    """A file that is no whole image."""


class Picture(NamedTuple):
    """One image of a file."""

    pixels: (
        Array | Image
    )  # (H, W) or (H, W, C) as they are stored; where they are of 8 bits, Pillow's grey or RGB
    sides: Size  # (height, width) of the image in the file; a draft has fewer pixels
    reducible: bool = (
        False  # whether it is a JPEG that a draft decodes, or would decode, at a fraction of its size
    )

    @property
    def is_of_bytes(self) -> bool:
        """Whether the pixels are of Pillow, which has 8 bits a channel."""
        return not isinstance(self.pixels, np.ndarray)


def read_picture(file: File, size: Size | None, mode: str | None = None, reading: Reading = PLAIN) -> Images:
    """Return one image as (H, W) if grey, else (H, W, C), of 8 or 16 bits. Raises DataError, one sentence.

    size: (height, width) to which it is resized.  mode: L or RGB; by default that of the file.
    """
    found = next(pictures(file, reading, size, mode)).pixels
    return fitted(str(file), found, measured(str(file), found), size, reading)


def pictures(
    file: File, reading: Reading, size: Size | None = None, mode: str | None = None
) -> Iterator[Picture]:
    """Yield the images of one file. Raises DataError, one sentence.

    size: (height, width) to which they will be resized.  mode: L or RGB; by default that of the file.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), limited(reading):
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            if dicom.is_dicom(file):
                for frame in dicom.read_dicom(file, reading):
                    yield Picture(frame, (frame.shape[0], frame.shape[1]))
                return
            if deep.is_tiff_beyond_pillow(file):
                for page in deep.read_tiff(file, reading):
                    yield Picture(page, (page.shape[0], page.shape[1]))
                return
            register_heif(file)
            with file.open("rb") as stream, Image.open(stream) as opened:
                yield from _frames(opened, file, reading, size, mode)
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{file} has more than {_limit(reading):.3g} megapixels; if it is a photo and no decompression bomb, say "
            "megapixels: 200 (or as many as it has)"
        ) from None
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


def measured(place: str, pixels: Array | Image) -> Span:
    """Return the values of pixels as they are stored. Raises DataError for what are no numbers."""
    if isinstance(pixels, np.ndarray):
        return span(place, pixels)
    ends = np.asarray(pixels.getextrema()).reshape(-1, 2)
    return Span("uint8", int(ends[:, 0].min()), int(ends[:, 1].max()), True)


def fitted(place: str, pixels: Array | Image, found: Span, size: Size | None, reading: Reading) -> Images:
    """Return pixels on the scale and in the size of the data set.

    found: their values.  Raises DataError where nothing says what these mean.
    """
    low, high = bounds(place, found, reading, of_files=True)
    kind = kind_of(found, low, high, reading)
    if not isinstance(pixels, np.ndarray) and kind == np.uint8 and (low, high) == (0.0, 255.0):
        return np.asarray(resized(pixels, size, reading.fit))
    return sized(scaled(np.asarray(pixels), low, high, kind), size, reading.fit)


@contextmanager
def limited(reading: Reading) -> Iterator[None]:
    """Let Pillow open pictures up to the limit that is said."""
    from PIL import Image

    usual = Image.MAX_IMAGE_PIXELS
    try:
        if reading.megapixels is not None:
            Image.MAX_IMAGE_PIXELS = round(reading.megapixels * MILLION)
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = usual


def _limit(reading: Reading) -> float:
    """Return the largest picture that is read, in millions of pixels."""
    from PIL import Image

    return reading.megapixels or (Image.MAX_IMAGE_PIXELS or 0) / MILLION


def _frames(
    opened: Image, file: File, reading: Reading, size: Size | None, mode: str | None
) -> Iterator[Picture]:
    frames = getattr(opened, "n_frames", 1) if opened.format in PAGED else 1
    check_pages(file, frames, reading)
    for frame in range(frames if reading.pages == "each" else 1):
        if frames > 1:
            opened.seek(frame)
        width, height = opened.size
        least = GAP * max(size or (0,))  # of both sides, as EXIF may turn it
        reducible = size is not None and _is_reducible(opened, least)
        if reducible and reading.draft:
            opened.draft(None, (least, least))
        pixels = _pixels(opened, file, reading, mode)
        shape = pixels.shape if isinstance(pixels, np.ndarray) else pixels.size[::-1]
        turned = (shape[0] > shape[1]) != (height > width)
        yield Picture(pixels, (width, height) if turned else (height, width), reducible)


def _is_reducible(opened: Image, least: int) -> bool:
    """Return whether half of an image has so many pixels on both sides, and is what its file can be decoded at."""
    from PIL.JpegImagePlugin import JpegImageFile

    return isinstance(opened, JpegImageFile) and min(opened.size) >= 2 * least


def _pixels(opened: Image, file: File, reading: Reading, mode: str | None) -> Array | Image:
    if deep.is_deep_png(opened, file):
        return deep.read_png(file, reading)
    if opened.mode in DEEP:
        stored = np.asarray(_upright(opened))
        return deep.black_is_zero(file, stored, 16) if deep.is_white_zero(opened) else stored
    if opened.mode not in GREY | COLOUR:
        raise DataError(f"{file} has pixels of mode {opened.mode}; save it as grey or RGB of 8 bits")
    kind = mode or ("L" if opened.mode in GREY else "RGB")
    image = _on_ground(_upright(opened), file, reading)
    is_own = (
        image is not opened or getattr(opened, "n_frames", 1) == 1
    )  # the next frame is read into the same image
    return image if image.mode == kind and is_own else image.convert(kind)


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
    return opened if method is None else opened.transpose(method)


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
