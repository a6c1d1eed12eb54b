"""The SVG text of a figure in its layout: text and shapes alone, no script, no link, nothing from outside."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

from genome.picture import colours, lettering
from genome.picture.figure import Arrow, Box, Figure, Frame
from genome.picture.layout import PADDING, Curve, Layout, Point, Rect

MARGIN = 20.0
HEAD = 54.0  # the name and the sums above the picture, in pixels
REPLACED = "\N{REPLACEMENT CHARACTER}"
CORNER = {"image": 14.0, "exit": 14.0, "motif": 5.0, "node": 5.0, "unused": 5.0}


def svg(figure: Figure, layout: Layout) -> str:
    """The picture as one SVG document."""
    name = _text(figure.name)
    written = max(lettering.width(figure.name, "title"), lettering.width(figure.summary, "summary"))
    width = max(layout.width, written) + 2 * MARGIN
    height = layout.height + HEAD + 2 * MARGIN
    left = (width - layout.width) / 2
    words = sorted({box.word for box in figure.boxes})
    is_marked = any(box.mark for box in figure.boxes) or any(arrow.mark for arrow in figure.arrows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="genome" role="img" aria-label="{name}"'
        f' width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{name}</title>",
        f"<style>{colours.style(words, is_marked)}</style>",
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="title" x="{MARGIN:g}" y="{MARGIN + 15:g}">{name}</text>',
        f'<text class="summary" x="{MARGIN:g}" y="{MARGIN + 34:g}">{_text(figure.summary)}</text>',
        f'<g transform="translate({_n(left)} {_n(MARGIN + HEAD)})">',
        *(_frame(f, r) for f, r in zip(figure.frames, layout.frames, strict=True)),
        *(_arrow(a, c) for a, c in zip(figure.arrows, layout.arrows, strict=True)),
        *(_box(b, r, words) for b, r in zip(figure.boxes, layout.boxes, strict=True)),
        *(_label(a.label, c.label) for a, c in zip(figure.arrows, layout.arrows, strict=True) if c.label),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _frame(frame: Frame, at: Rect) -> str:
    label = f'<text class="label" x="{_n(at.x + 8)}" y="{_n(at.y + 14)}">{_text(frame.label)}</text>'
    return f'<rect class="frame" {_place(at)} rx="8"/>{label}'


def _box(box: Box, at: Rect, words: list[str]) -> str:
    corner = CORNER[box.kind]
    # A motif is drawn as a pile: it stands for several nodes.
    pile = f'<rect {_place(at.moved(4, 4))} rx="{corner:g}"/>' if box.kind == "motif" else ""
    return (
        f'<g class="box {box.kind} w{words.index(box.word)}{_marked(box)}"><title>{_text(*box.tip)}</title>'
        f'{pile}<rect {_place(at)} rx="{corner:g}"/>{"".join(_lines(box, at))}</g>'
    )


def _lines(box: Box, at: Rect) -> Iterator[str]:
    middle, y = at.x + at.width / 2, at.y + PADDING[1]
    for line in box.lines:
        y += lettering.height(line.style)
        base = y - 0.32 * lettering.SIZES[line.style]
        yield f'<text class="{line.style}" x="{_n(middle)}" y="{_n(base)}">{_text(line.text)}</text>'


def _arrow(arrow: Arrow, curve: Curve) -> str:
    thick = 0.8 + 0.3 * math.log2(max(arrow.channels, 1))
    start, *rest = [f"{_n(x)} {_n(y)}" for x, y in curve.points]
    head = " ".join(f"{_n(x)},{_n(y)}" for x, y in _head(curve, thick))
    return (
        f'<g class="arrow{" back" if arrow.back else ""}{_marked(arrow)}"><title>{_text(arrow.tip)}</title>'
        f'<path d="M{start}C{" ".join(rest)}" stroke-width="{thick:.1f}"/><polygon points="{head}"/></g>'
    )


def _marked(what: Box | Arrow) -> str:
    return f" {what.mark}" if what.mark else ""


def _head(curve: Curve, thick: float) -> tuple[Point, Point, Point]:
    """The triangle of the arrowhead."""
    (x, y), (tip_x, tip_y) = curve.points[-1], curve.tip
    far = math.dist((x, y), (tip_x, tip_y)) or 1.0
    across = (2.4 + 0.75 * thick) / far
    dx, dy = (tip_x - x) * across, (tip_y - y) * across
    return (x - dy, y + dx), (tip_x, tip_y), (x + dy, y - dx)


def _label(text: str, at: Rect) -> str:
    return f'<text class="loop" x="{_n(at.x + at.width / 2)}" y="{_n(at.y + 0.75 * at.height)}">{_text(text)}</text>'


def _place(at: Rect) -> str:
    return f'x="{_n(at.x)}" y="{_n(at.y)}" width="{_n(at.width)}" height="{_n(at.height)}"'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(*lines: str) -> str:
    """Plain text for an element or an attribute, without what XML has no place for, or what would turn the
    order of its letters round."""
    shown = ("".join(c if c.isprintable() else REPLACED for c in line) for line in lines)
    return "\n".join(html.escape(line) for line in shown)
