"""The Pareto front of a study as an SVG picture, which needs nothing beside it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from search.objective import MINIMIZE
from search.results.axis import Axis, axis, label, ticks

WIDTH, HEIGHT = 640, 360  # pixels
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 40, 52  # margins around the plot, in pixels
LABEL_WIDTH = 52  # pixels
STYLE = (
    "text{font:12px Helvetica,Arial,sans-serif;fill:#333}.title{font-size:15px}.grid{stroke:#ddd}"
    ".trial{fill:#aaa}.front{fill:#0b62a4}.line{fill:none;stroke:#0b62a4}"
)


class Spot(NamedTuple):
    """A trained network in the chart."""

    x: float
    y: float
    name: str  # text under the pointer
    label: str = ""  # text beside the mark, where there is room


def front_svg(
    title: str,
    names: tuple[str, str],
    others: Sequence[Spot],
    front: Sequence[Spot],
    direction: str | None = None,
) -> str:
    """Return the chart of the networks of a front before those that it beats.

    names: of the objectives across and up.  direction: of the one across, where these two are all, so that a line of
    steps through the front parts what was reached from what was not.
    """
    spots = [*others, *front]
    across, up = (
        axis(names[0], [spot.x for spot in spots]),
        axis(names[1], [spot.y for spot in spots]),
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' role="img" aria-label="{html.escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="24">{html.escape(title)}</text>',
        *_grid(across, up),
        *(_mark(spot, "trial", 3, across, up) for spot in others),
        *_steps(front, across, up, direction),
        *(_mark(spot, "front", 5, across, up) for spot in front),
        *_labels(front, across, up),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(across):
        x = _x(across, value)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{label(across.name, value)}</text>'
    for value in ticks(up):
        y = _y(up, value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label(up.name, value)}</text>'
    yield f'<text x="{right}" y="{HEIGHT - 10}" text-anchor="end">{html.escape(across.name)}</text>'
    yield (
        f'<text x="16" y="{TOP}" transform="rotate(-90 16 {TOP})" text-anchor="end">{html.escape(up.name)}</text>'
    )


def _mark(spot: Spot, kind: str, radius: int, across: Axis, up: Axis) -> str:
    at = f'cx="{_x(across, spot.x):.1f}" cy="{_y(up, spot.y):.1f}" r="{radius}"'
    return f'<circle class="{kind}" {at}><title>{html.escape(spot.name)}</title></circle>'


def _labels(front: Sequence[Spot], across: Axis, up: Axis) -> Iterator[str]:
    """Yield the label above each mark, from left to right; one that would cover the label before it is left out."""
    taken: list[tuple[float, float]] = []
    for spot in sorted(front, key=lambda one: one.x):
        x, y = _x(across, spot.x), _y(up, spot.y) - 9
        if spot.label and all(abs(x - other) > LABEL_WIDTH or abs(y - above) > 12 for other, above in taken):
            taken.append((x, y))
            yield f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{html.escape(spot.label)}</text>'


def _steps(front: Sequence[Spot], across: Axis, up: Axis, direction: str | None) -> Iterator[str]:
    """Yield the line: at each place across, the best value up that a network of the front reaches."""
    if direction is None:
        return
    places = sorted((_x(across, spot.x), _y(up, spot.y)) for spot in front)
    corners = places[:1]
    for (left, before), (right, after) in pairwise(places):
        corners += [(right, before) if direction == MINIMIZE else (left, after), (right, after)]
    yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)
