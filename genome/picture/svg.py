"""The SVG text of a figure in its layout: only text, shapes and, on request, links; no script, nothing external."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from genome.picture import colours, text_size
from genome.picture.figure import Arrow, Box, Figure, Frame
from genome.picture.layout import PADDING, Curve, Layout, Point, Rect

MARGIN = 20.0
HEAD = 54.0  # height of the name and the summary above the picture, in pixels
REPLACED = "\N{REPLACEMENT CHARACTER}"
CORNER = {"image": 14.0, "exit": 14.0, "motif": 5.0, "node": 5.0, "unused": 5.0}
LEGEND = 22.0  # height of a row of the legend, in pixels
SCALE = (1, 16, 256)  # channels of the arrows in the legend


class Links(NamedTuple):
    """The links of a picture with links."""

    motifs: Mapping[str, str]  # the URL of each motif, by name
    words: Sequence[str]  # boxes of `words[i]` have the class `wi`, the same in all pictures of a page


def svg(figure: Figure, layout: Layout, links: Links | None = None) -> str:
    """The picture as one SVG document."""
    name = _text(figure.name)
    written = max(text_size.width(figure.name, "title"), text_size.width(figure.summary, "summary"))
    width = max(layout.width, written) + 2 * MARGIN
    words = list(links.words) if links else sorted({box.word for box in figure.boxes})
    legend = list(_legend(figure, words, width)) if links else []
    head = HEAD + LEGEND * len(legend)
    height = layout.height + head + 2 * MARGIN
    left = (width - layout.width) / 2
    is_marked = any(box.mark for box in figure.boxes) or any(arrow.mark for arrow in figure.arrows)
    motifs = links.motifs if links else {}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="genome" role="{"group" if links else "img"}"'
        f' aria-label="{name}" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{name}</title>",
        f"<style>{colours.style(words, is_marked)}</style>",
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="title" x="{MARGIN:g}" y="{MARGIN + 15:g}">{name}</text>',
        f'<text class="summary" x="{MARGIN:g}" y="{MARGIN + 34:g}">{_text(figure.summary)}</text>',
        *legend,
        f'<g transform="translate({_n(left)} {_n(MARGIN + head)})">',
        *(f'<rect class="frame" {_place(r)} rx="8"/>' for r in layout.frames),
        *(_arrow(a, c) for a, c in zip(figure.arrows, layout.arrows, strict=True)),
        *(_title(f, r, motifs) for f, r in zip(figure.frames, layout.frames, strict=True)),
        *(_box(b, r, words, links) for b, r in zip(figure.boxes, layout.boxes, strict=True)),
        *(_label(a.label, c.label) for a, c in zip(figure.arrows, layout.arrows, strict=True) if c.label),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(figure: Figure, words: list[str], width: float) -> Iterator[str]:
    """The rows of the legend: colours and widths of arrows."""
    used = [word for word in words if any(box.word == word for box in figure.boxes)]
    wide = [n for n in SCALE if n <= 4 * max((arrow.channels for arrow in figure.arrows), default=0)]
    parts = [
        (
            word,
            f'<g class="box w{words.index(word)}"><rect x="{{x}}" y="{{y}}" width="12" height="12" rx="3"/></g>',
        )
        for word in used
    ]
    parts += [
        (
            f"{n} channel{'s' if n > 1 else ''}",
            f'<g class="arrow"><path d="M{{x}} {{middle}}h12" stroke-width="{_thick(n):.1f}"/></g>',
        )
        for n in wide
    ]
    x, row, made = MARGIN, 0, list[str]()
    for word, mark in parts:
        room = 12 + 5 + text_size.width(word, "op") + 16
        if made and x + room > width - MARGIN:
            yield "".join(made)
            x, row, made = MARGIN, row + 1, []
        y = MARGIN + HEAD - 8 + LEGEND * row
        made.append(mark.format(x=_n(x), y=_n(y), middle=_n(y + 6)))
        made.append(f'<text class="op" x="{_n(x + 17)}" y="{_n(y + 10.5)}">{_text(word)}</text>')
        x += room
    yield "".join(made)


def _title(frame: Frame, at: Rect, motifs: Mapping[str, str]) -> str:
    """The title of a frame, over the arrows that cross it."""
    label = f'<text class="label" x="{_n(at.x + 8)}" y="{_n(at.y + 14)}">{_text(frame.label)}</text>'
    if frame.name in motifs:
        return _linked(frame.name, motifs, f"<title>{_text(*frame.tip, 'click to fold it')}</title>{label}")
    return label


def _box(box: Box, at: Rect, words: list[str], links: Links | None) -> str:
    corner = CORNER[box.kind]
    # a motif is drawn as a pile, since it stands for several nodes
    pile = f'<rect {_place(at.moved(4, 4))} rx="{corner:g}"/>' if box.kind == "motif" else ""
    is_linked = links is not None and box.name in links.motifs
    tip = (*box.tip, "click to unfold it") if is_linked else box.tip
    own = f' data-node="{_text(box.name)}"' if links is not None and not is_linked else ""
    drawn = (
        f'<g class="box {box.kind} w{words.index(box.word)}{_marked(box)}"{own}><title>{_text(*tip)}</title>'
        f'{pile}<rect {_place(at)} rx="{corner:g}"/>{"".join(_lines(box, at))}</g>'
    )
    return _linked(box.name, links.motifs, drawn) if links is not None and is_linked else drawn


def _linked(name: str, motifs: Mapping[str, str], drawn: str) -> str:
    return f'<a href="{html.escape(motifs[name])}" data-node="{_text(name)}">{drawn}</a>'


def _lines(box: Box, at: Rect) -> Iterator[str]:
    middle, y = at.x + at.width / 2, at.y + PADDING[1]
    for line in box.lines:
        y += text_size.height(line.style)
        base = y - 0.32 * text_size.SIZES[line.style]
        yield f'<text class="{line.style}" x="{_n(middle)}" y="{_n(base)}">{_text(line.text)}</text>'


def _arrow(arrow: Arrow, curve: Curve) -> str:
    thick = _thick(arrow.channels)
    start, *rest = [f"{_n(x)} {_n(y)}" for x, y in curve.points]
    head = " ".join(f"{_n(x)},{_n(y)}" for x, y in _head(curve, thick))
    tip = _text(*arrow.tip.split("\n"))
    return (
        f'<g class="arrow{" back" if arrow.back else ""}{_marked(arrow)}"><title>{tip}</title>'
        f'<path d="M{start}C{" ".join(rest)}" stroke-width="{thick:.1f}"/><polygon points="{head}"/></g>'
    )


def _marked(what: Box | Arrow) -> str:
    return f" {what.mark}" if what.mark else ""


def _thick(channels: int) -> float:
    return 0.8 + 0.3 * math.log2(max(channels, 1))


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
    """Text escaped for an element or an attribute, without characters that XML forbids or that change the direction."""
    shown = ("".join(c if c.isprintable() else REPLACED for c in line) for line in lines)
    return "\n".join(html.escape(line) for line in shown)
