"""The curve of accuracy over cost as SVG, with the exits alone and the chosen point."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from genome.exits.curve import Point
from search import formatting
from search.results.exits.solved import Found, thinned

WIDTH, HEIGHT = 640.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 24.0, 56.0  # margins
TICKS = 5
STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#888}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke:#1f5fa8;stroke-width:2}.alone{fill:#b5502b}.chosen{fill:#1f5fa8}"
)


class _Plot:
    """Positions of values in the picture."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.x, self.y = _range(xs), _range(ys)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across, up = ((v - low) / (high - low) for v, (low, high) in ((x, self.x), (y, self.y)))
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def picture(found: Found, name: str) -> str:
    """Return the curve of a network on the validation images. Lengths are in pixels."""
    is_time = found.target.kind == "latency"
    points, alone = (
        thinned(found.points),
        [] if is_time else [(r.macs, r.accuracy, r.name) for r in found.rows],
    )
    xs = [p.cost for p in points] + [x for x, _, _ in alone]
    plot = _Plot(xs, [p.accuracy for p in points] + [y for _, y, _ in alone])
    unit = "milliseconds of one image" if is_time else "multiply-adds of an image"
    parts = [
        *_grid(plot, is_time),
        f'<polyline class="curve" points="{_corners(plot, points)}"/>',
        *(_mark(plot, x, y, label, "alone") for x, y, label in alone),
        _mark(plot, found.point.cost, found.point.accuracy, "chosen", "chosen"),
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">mean {unit}</text>',
        f'<text x="{LEFT}" y="16">{html.escape(name)}: accuracy on the validation images</text>',
    ]
    size = f'width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def _grid(plot: _Plot, is_time: bool) -> Iterator[str]:
    for i in range(TICKS + 1):
        x, y = (low + i / TICKS * (high - low) for low, high in (plot.x, plot.y))
        across, up = plot.at(x, y)
        label = f"{1000 * x:.2f}" if is_time else formatting.short(round(x))
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{y:.3f}</text>'
        yield f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'


def _mark(plot: _Plot, x: float, y: float, label: str, kind: str) -> str:
    across, up = plot.at(x, y)
    anchor = "end" if across > WIDTH / 2 else "start"
    shift = -9 if anchor == "end" else 9
    text = (
        f'<text x="{across + shift:.1f}" y="{up + 16:.1f}" text-anchor="{anchor}">{html.escape(label)}</text>'
    )
    return f'<circle class="{kind}" cx="{across:.1f}" cy="{up:.1f}" r="5"/>{text}'


def _corners(plot: _Plot, points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in (plot.at(p.cost, p.accuracy) for p in points))


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return low - room, high + room
