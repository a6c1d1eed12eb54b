"""Columns: a tall layout, cut where few arrows pass, with its pieces side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from genome.picture.layout import Curve, Layout, Point, Rect

TALLEST = 1500.0  # pixels; a lower layout stays one column
ASPECT = 1.5  # the desired ratio of width to height
GAP = 64.0  # between columns, in pixels
MOST_TRACKS = 6  # arrows that may lead from one column to the next
TRACK = 6.0  # between such arrows, in pixels
BEND = 40.0  # pixels that a cut may be moved to cross one arrow less
SAMPLES = 24  # points of each curve that count for the width of a column
ROUND = 8.0  # radius of the corners of lines between columns, in pixels


class Column(NamedTuple):
    """One piece of the layout, in the coordinates of the whole layout."""

    top: float
    bottom: float
    left: float
    right: float
    dx: float  # how far the piece is moved to the right
    dy: float  # and down

    def at(self, point: Point) -> Point:
        return point[0] + self.dx, point[1] + self.dy


def columns(layout: Layout, tallest: float = TALLEST) -> Layout:
    """The same layout in as many columns as give it about the desired aspect ratio.

    A layout of at most `tallest` pixels, or one that can't be cut, is returned unchanged.
    """
    count = round(math.sqrt(ASPECT * layout.height / (layout.width + GAP)))
    possible = dict(_cuts(layout)) if layout.height > tallest and count > 1 else {}
    if not possible:
        return layout
    ideal = [layout.height * k / count for k in range(1, count)]
    best = {min(possible, key=lambda cut: abs(cut - y) + BEND * possible[cut]) for y in ideal}
    return _cut(layout, sorted(best))


def _cuts(layout: Layout) -> Iterator[tuple[float, int]]:
    """The heights that only a few arrows cross, all of them downwards, and how many arrows these are."""
    spans = sorted((r.y, r.y + r.height) for r in _rects(layout))
    low = spans[0][1]
    for top, bottom in spans[1:]:
        if top > low:
            y = (low + top) / 2
            met = [curve for curve in layout.arrows if _meets(curve, y)]
            if len(met) <= MOST_TRACKS and all(c.points[0][1] < y < c.tip[1] for c in met):
                yield y, len(met)
        low = max(low, bottom)


def _rects(layout: Layout) -> list[Rect]:
    return [*layout.boxes, *layout.frames, *(curve.label for curve in layout.arrows if curve.label)]


def _meets(curve: Curve, y: float) -> bool:
    heights = [point[1] for point in (*curve.points, curve.tip)]
    return min(heights) < y < max(heights)


def _cut(layout: Layout, cuts: Sequence[float]) -> Layout:
    """Put each piece between two cuts into its own column, and lead the arrows that were cut from one to the next."""
    tracks = [_tracks(layout.arrows, cut) for cut in cuts]
    room = max(map(len, tracks)) * TRACK
    made = _columns(layout, cuts, room)

    def moved(rect: Rect) -> Rect:
        to = made[sum(rect.y > cut for cut in cuts)]
        return rect.moved(to.dx, to.dy)

    return Layout(
        tuple(moved(r) for r in layout.boxes),
        tuple(_led(layout.arrows, cuts, tracks, made)),
        tuple(moved(r) for r in layout.frames),
        made[-1].right + made[-1].dx,
        max(c.bottom + c.dy for c in made) + room,
    )


def _columns(layout: Layout, cuts: Sequence[float], room: float) -> list[Column]:
    """The pieces between the cuts, side by side, with space for lines above them."""
    edges = [0.0, *cuts, layout.height]
    inside = [(r.y, x) for r in _rects(layout) for x in (r.x, r.x + r.width)]
    for curve in layout.arrows:
        inside += [(y, x) for x, y in _samples(curve.points)]
        inside += [(cut, _halves(curve.points, cut)[1][0][0]) for cut in cuts if _meets(curve, cut)]
    made: list[Column] = []
    x = 0.0
    for top, bottom in pairwise(edges):
        here = [across for y, across in inside if top <= y <= bottom]
        made.append(Column(top, bottom, min(here), max(here), x - min(here), room - top))
        x += max(here) - min(here) + GAP
    return made


def _samples(points: Sequence[Point]) -> Iterator[Point]:
    for i in range(0, len(points) - 1, 3):
        for k in range(SAMPLES + 1):
            yield _split(points[i : i + 4], k / SAMPLES)[0][-1]


def _led(
    curves: Sequence[Curve], cuts: Sequence[float], tracks: Sequence[list[int]], made: Sequence[Column]
) -> list[Curve]:
    """The arrows, each in its column. A line leads an arrow that was cut to the top of the next column."""
    led = []
    for i, curve in enumerate(curves):
        rest: Sequence[Point] = curve.points
        done: list[Point] = []
        for k, cut in enumerate(cuts):
            if i in tracks[k]:
                above, rest = _halves(rest, cut)
                points = [made[k].at(p) for p in above]
                over = made[k].right + made[k].dx + GAP / 2
                line = _round(points[-1], made[k + 1].at(rest[0]), over, tracks[k].index(i), len(tracks[k]))
                done += [*points[bool(done) :], *line]
        to = made[sum(curve.tip[1] > cut for cut in cuts)]
        label = curve.label and curve.label.moved(to.dx, to.dy)
        led.append(Curve((*done, *[to.at(p) for p in rest][bool(done) :]), to.at(curve.tip), label))
    return led


def _tracks(curves: Sequence[Curve], cut: float) -> list[int]:
    """The indices of the arrows that cross a cut, from right to left, which is the order in which they turn."""
    met = [i for i, curve in enumerate(curves) if _meets(curve, cut)]
    return sorted(met, key=lambda i: -_halves(curves[i].points, cut)[1][0][0])


def _round(start: Point, end: Point, over: float, track: int, count: int) -> list[Point]:
    """The line from the bottom of a column to the top of the next, without its first point.

    It is one of `count` parallel lines around x = `over`, which do not cross.
    """
    foot = start[1] + track * TRACK
    head = end[1] - (count - track) * TRACK
    over += (track - (count - 1) / 2) * TRACK
    stops = [start, (start[0], foot), (over, foot), (over, head), (end[0], head), end]
    points = [start]
    for before, corner, after in zip(stops, stops[1:], stops[2:], strict=False):
        points += _line(points[-1], _towards(corner, before))
        points += [corner, corner, _towards(corner, after)]
    return [*points, *_line(points[-1], end)][1:]


def _halves(points: Sequence[Point], y: float) -> tuple[list[Point], list[Point]]:
    """A chain of curves cut at the height y: the chain above and the chain below."""
    for i in range(0, len(points) - 1, 3):
        piece = points[i : i + 4]
        if piece[3][1] >= y:
            low, high = 0.0, 1.0
            for _ in range(30):
                middle = (low + high) / 2
                low, high = (middle, high) if _split(piece, middle)[0][3][1] < y else (low, middle)
            first, second = _split(piece, low)
            return [*points[:i], *first], [*second, *points[i + 4 :]]
    return list(points), [points[-1]]  # the cut is in the arrowhead


def _split(piece: Sequence[Point], t: float) -> tuple[list[Point], list[Point]]:
    """The two parts of a cubic curve that is split at t (de Casteljau)."""
    rows = [list(piece)]
    while len(rows[-1]) > 1:
        rows.append([_between(a, b, t) for a, b in pairwise(rows[-1])])
    return [row[0] for row in rows], [row[-1] for row in reversed(rows)]


def _between(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _towards(start: Point, end: Point) -> Point:
    far = math.dist(start, end)
    return _between(start, end, min(ROUND, far / 2) / far) if far else start


def _line(start: Point, end: Point) -> list[Point]:
    return [start, end, end]
