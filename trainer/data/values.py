"""Values: pixels of any number type in 8 or 16 bits, by bounds that are stated or cannot be mistaken."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from trainer.data.raw import Array, Images, white_of
from trainer.data.reading import Reading
from trainer.errors import DataError, OpenQuestion

UNLIKE = 64  # ratio of the brightest pixels of two arrays of one set from which on they are of two scales
NEARLY = 0.05  # from a whole 255th; float16 is that near
BLOCK = 1 << 22  # values that are converted at a time


class Span(NamedTuple):
    """The values of pixels as they are stored."""

    kind: str  # number type
    low: float
    high: float
    whole: bool  # whether all are whole numbers
    of_bytes: bool = False  # whether all are whole 255ths, as 8 bits divided by 255 are

    def with_(self, other: "Span") -> "Span":
        """Return the span of both."""
        kind = self.kind if self.kind == other.kind else f"{self.kind} and {other.kind}"
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Span(kind, low, high, self.whole and other.whole, self.of_bytes and other.of_bytes)


def span(place: str, array: Array) -> Span:
    """Measure pixels. Raises DataError for what are no numbers, or not finite ones."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{place} is {array.dtype}; images must be numbers")
    if array.size == 0:
        raise DataError(f"{place} has shape {array.shape} and is empty; at least one image a class is needed")
    if array.dtype == np.uint8:
        return Span("uint8", int(array.min()), int(array.max()), True)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite((low, high)).all():
        raise DataError(f"{place} is {array.dtype} and holds NaN or infinite pixels; replace them")
    if array.dtype.kind != "f":
        return Span(str(array.dtype), low, high, True)
    of_bytes = low >= 0 and high <= 1 and _is_whole(array, 255, NEARLY)
    return Span(str(array.dtype), low, high, _is_whole(array, 1, 0.0), of_bytes)


def _is_whole(array: Array, times: int, but: float) -> bool:
    """Whether all values are whole numbers when they are multiplied, but for a difference."""
    flat = array.reshape(-1)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK].astype(np.float64) * times
        if (np.abs(block - np.rint(block)) > but).any():
            return False
    return True


def bounds(
    place: str, found: Span, reading: Reading, *, of_files: bool = False, several: bool = False
) -> tuple[float, float]:
    """Return the values that become black and white.

    of_files: the pixels are of picture files, whose number type is a statement of itself: a dark one of 16 bits is not
    one of 8.  several: the place names several arrays.  Raises DataError, with what may be said, where the values leave
    it open.
    """
    if reading.range is not None:
        return reading.range
    if reading.bits is not None:
        return 0.0, _stated(place, found, reading.bits)
    if found.kind == "bool":
        return 0.0, 1.0
    if found.kind == "uint8" or (found.whole and found.low >= 0 and 1 < found.high <= 255 and not of_files):
        return 0.0, 255.0
    if found.kind.startswith("float") and found.low >= 0 and found.high <= 1:
        return 0.0, 1.0
    verb = "are" if several else "is"
    raise OpenQuestion(
        f"{place} {verb} {found.kind} with values {found.low:g}..{found.high:g}", _question(found)
    )


def check_scale(place: str, spans: Mapping[str, Span]) -> None:
    """Raise DataError where the values of two parts, by name, cannot be on one scale, as 0..1 and 0..255."""
    least = min(spans, key=lambda name: spans[name].high)
    most = max(spans, key=lambda name: spans[name].high)
    if 0 < spans[least].high <= spans[most].high / UNLIKE:
        first, second = (name for name in spans if name in (least, most))
        low, high = spans[first], spans[second]
        raise DataError(
            f"{place}: the pixels of {first} have values {low.low:g}..{low.high:g} but those of {second} "
            f"{high.low:g}..{high.high:g}; save both on one scale, as one of the two would be black or white"
        )


def _stated(place: str, found: Span, bits: int) -> float:
    top = float(2**bits - 1)
    if found.high > top or found.low < 0:
        raise DataError(
            f"{place} has values {found.low:g}..{found.high:g}, which are not of {bits} bits (0..{top:g})"
        )
    if found.kind == "uint8" and bits > 8:
        raise DataError(f"{place} has 8 bits a channel, and bits: {bits} is said")
    return top


def _question(found: Span) -> str:
    """Return what the user may say, with measured values."""
    measured = f"range: [{found.low:g}, {found.high:g}]"
    if found.whole and found.low >= 0:
        fitting = [bits for bits in (8, 10, 12, 14, 16, 32) if found.high < 2**bits][:3]
        words = " or ".join(f"bits: {bits}" for bits in fitting)
        return f"say of how many bits they are ({words}), or which values are black and white, such as {measured}"
    return f"say which values are black and white, such as {measured}"


def kind_of(found: Span, low: float, high: float, reading: Reading) -> np.dtype[Any]:
    """Return the number type in which pixels are kept: what is said, else 8 bits where these hold every value."""
    if reading.depth is not None:
        return np.dtype(f"uint{reading.depth}")
    fits = found.kind in ("uint8", "bool") or (found.whole and high - low <= 255)
    return np.dtype(np.uint8 if fits or (found.of_bytes and (low, high) == (0.0, 1.0)) else np.uint16)


def scaled(array: Array, low: float, high: float, dtype: np.dtype[Any]) -> Images:
    """Return pixels scaled from low..high to black..white of a number type, rounded; values outside are clipped."""
    white = white_of(dtype)
    if array.dtype == dtype and (low, high) == (0.0, white):
        return array
    flat, out = array.reshape(-1), np.empty(array.size, dtype)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK].astype(np.float64)
        out[start : start + BLOCK] = np.rint((block - low) * (white / (high - low))).clip(0, white)
    return out.reshape(array.shape)


def told(found: Span, low: float, high: float, dtype: np.dtype[Any]) -> str:
    """Return the values as they are stored, and what became of them."""
    white = white_of(dtype)
    bits = 8 * dtype.itemsize
    if found.kind == dtype.name and (low, high) == (0.0, white):
        return f"{bits} bits, {found.low:g}..{found.high:g}"
    outside = ", values outside are clipped" if found.low < low or found.high > high else ""
    stored = f"{found.kind} {found.low:g}..{found.high:g}"
    return f"{stored}, of which {low:g}..{high:g} is kept in {bits} bits (0..{white}){outside}"
