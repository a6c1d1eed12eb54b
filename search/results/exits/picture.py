"""The curve of accuracy over cost as SVG, with the exits alone and the chosen point."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from genome.exits.curve import Point
from search.results.axis import Axis, axis, label, ticks
from search.results.exits.solved import Found

WIDTH, HEIGHT = 640.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 24.0, 56.0  # margins
STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#888}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke:#1f5fa8;stroke-width:2}.alone{fill:#b5502b}.chosen{fill:#1f5fa8}"
)


class _Plot(NamedTuple):
    """The axes of the picture."""

    across: Axis
    up: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point in pixels."""
        across = LEFT + self.across.share(x) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - self.up.share(y) * (HEIGHT - TOP - BOTTOM)


def picture(found: Found, name: str) -> str:
    """Return the curve of a network on the validation images. Lengths are in pixels."""
    is_time = found.target.kind == "latency"
    points = [one.point for one in found.curve]
    alone = [] if is_time else [(r.macs, r.accuracy, r.name) for r in found.rows]
    xs = [p.cost for p in points] + [x for x, _, _ in alone]
    ys = [p.accuracy for p in points] + [y for _, y, _ in alone]
    plot = _Plot(axis("latency" if is_time else "macs", xs), axis("accuracy", ys))
    unit = "time of one image" if is_time else "multiply-adds of an image"
    parts = [
        f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="#fff"/>',
        *_grid(plot),
        f'<polyline class="curve" points="{_corners(plot, points)}"/>',
        *(_mark(plot, x, y, text, "alone") for x, y, text in alone),
        _mark(plot, found.point.cost, found.point.accuracy, "chosen", "chosen"),
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">mean {unit}</text>',
        f'<text x="{LEFT}" y="16">{html.escape(name)}: accuracy on the validation images</text>',
    ]
    size = f'width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def _grid(plot: _Plot) -> Iterator[str]:
    for y in ticks(plot.up):
        _, up = plot.at(plot.across.low, y)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{label("accuracy", y)}</text>'
    for x in ticks(plot.across):
        across, _ = plot.at(x, plot.up.low)
        text = label(plot.across.name, x)
        yield f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'


def _mark(plot: _Plot, x: float, y: float, text: str, kind: str) -> str:
    across, up = plot.at(x, y)
    anchor, shift = ("end", -9) if across > WIDTH / 2 else ("start", 9)
    place = f'x="{across + shift:.1f}" y="{up + 16:.1f}" text-anchor="{anchor}"'
    return f'<circle class="{kind}" cx="{across:.1f}" cy="{up:.1f}" r="5"/><text {place}>{html.escape(text)}</text>'


def _corners(plot: _Plot, points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in (plot.at(p.cost, p.accuracy) for p in points))
