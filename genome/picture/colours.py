"""The colours of a picture, for light and dark pages. The colour of a node type is a hash of its word."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence

from genome.picture.text_size import FAMILY, SIZES

_HUES = 24
_SALT = b"351835"  # the first tried with which no two node types have the same hue

_STYLE = """
.genome text{{font-family:{family};fill:{text}}}
.genome .page{{fill:{page}}}
.genome .title{{font-size:{title}px;font-weight:600}}
.genome .summary{{font-size:{summary}px;fill:{muted}}}
.genome .box text{{text-anchor:middle}}
.genome .name{{font-size:{name}px;font-weight:600}}
.genome .op{{font-size:{op}px}}
.genome .size{{font-size:{size}px;fill:{muted}}}
.genome .label{{font-size:{label}px;fill:{muted}}}
.genome .label{{paint-order:stroke;stroke:{frame};stroke-width:5px;stroke-linejoin:round}}
.genome .frame{{fill:{frame};stroke:{line};stroke-width:.8}}
.genome .arrow path{{fill:none;stroke:{arrow}}}
.genome .arrow polygon{{fill:{arrow}}}
.genome .back path{{stroke:{back};stroke-dasharray:6 4}}
.genome .back polygon,.genome .loop{{fill:{back}}}
.genome .loop{{font-size:{loop}px;text-anchor:middle;font-weight:600}}
.genome .exit rect{{stroke-width:2.4}}
.genome .unused{{opacity:.55}}
.genome .unused rect{{stroke-dasharray:3 3}}
"""

# a coloured border around what is marked; the text in the box says the same
_MARK = (
    ".genome .{0} rect{{stroke:{1};stroke-width:3.5}}.genome .{0} path{{stroke:{1}}}"
    ".genome .{0} polygon,.genome .{0} .size:last-child{{fill:{1}}}\n"
)
_MARKS = {
    "added": ("#116329", "#56d364"),
    "dropped": ("#a40e26", "#ff8f8a"),
    "changed": ("#9a5b00", "#e3b341"),
}

_LIGHT = {
    "page": "#ffffff",
    "text": "#1f2328",
    "muted": "#57606a",
    "line": "#c4cad1",
    "frame": "#f6f8fa",
    "arrow": "#8b949e",
    "back": "#c2410c",
}
_DARK = {
    "page": "#0d1117",
    "text": "#e6edf3",
    "muted": "#a3adb8",
    "line": "#3d444d",
    "frame": "#151b23",
    "arrow": "#6e7681",
    "back": "#fb923c",
}


def style(words: Sequence[str], is_marked: bool = False) -> str:
    """The style sheet of a picture. Boxes of `words[i]` have the class `wi`. `is_marked` adds the styles of marks."""
    base = _STYLE.format(family=FAMILY, **SIZES, **_LIGHT)
    light = "".join(_rule(i, word, 0.92, 0.48, 0.62) for i, word in enumerate(words))
    # only colours differ on a dark page; the rest of the sheet is repeated
    dark = _STYLE.format(family=FAMILY, **SIZES, **_DARK)
    dark += "".join(_rule(i, word, 0.17, 0.55, 0.40) for i, word in enumerate(words))
    if is_marked:
        light += "".join(_MARK.format(mark, colour) for mark, (colour, _) in _MARKS.items())
        dark += "".join(_MARK.format(mark, colour) for mark, (_, colour) in _MARKS.items())
    return f"{base}{light}@media (prefers-color-scheme:dark){{{dark}}}"


def hue(word: str) -> float:
    """The hue of a node type, from 0 to 1."""
    return zlib.crc32(_SALT + word.encode()) % _HUES / _HUES


def _rule(i: int, word: str, fill: float, stroke: float, strength: float) -> str:
    if word == "image":
        strength = 0.0
    inside, line = (_hex(hue(word), lightness, strength) for lightness in (fill, stroke))
    return f".genome .w{i} rect{{fill:{inside};stroke:{line}}}\n"


def _hex(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
