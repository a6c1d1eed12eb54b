"""The size of text in pixels without a font: an upper estimate for the usual sans-serif fonts."""

from __future__ import annotations

from unicodedata import east_asian_width

FAMILY = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
SIZES = {"name": 13, "op": 12, "size": 11, "label": 11, "loop": 11, "title": 17, "summary": 12}
LEADING = 1.35  # height of a line in multiples of its font size

_NARROW = frozenset("iljtfrI.,:;|'()[]/!-_ ")
_BROAD = frozenset("mwMW@%")


def width(text: str, style: str) -> float:
    """The width of a line of text, in pixels."""
    bold = 1.1 if style in ("name", "loop", "title") else 1.0
    return SIZES[style] * bold * sum(_em(c) for c in text)


def height(style: str) -> float:
    """The height of a line of text, in pixels."""
    return SIZES[style] * LEADING


def _em(char: str) -> float:
    if char in _NARROW:
        return 0.38
    if char in _BROAD:
        return 0.92
    if east_asian_width(char) in "WF":
        return 1.05
    return 0.68 if char.isupper() else 0.59
