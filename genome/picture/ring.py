"""Rings: loops drawn as cycles. Graphviz places each loop as one box, in which its members are put on a ring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from genome.picture.figure import Arrow, Box, Cycle, Figure, Frame
from genome.picture.layout import Curve, Layout, Point, Rect, size

MOST = 8  # members; the arrows across a larger ring would be hard to tell apart
GAP = 46.0  # between two members, in pixels
WIDER = 1.06  # the factor by which a ring grows until its members are apart
HEAD, MARGIN = (
    46.0,
    30.0,
)  # space above and around the members for the label and the arrows from outside, in pixels
APART = 5.0  # between an arrow and its reverse, in pixels
TIP = 7.0  # length of an arrowhead, in pixels
STUB = 20.0  # length of an arrow for the inputs from outside, in pixels


class Ring(NamedTuple):
    """A loop whose members are on a ring."""

    members: tuple[int, ...]  # indices of boxes of the whole figure
    at: int  # the index of the box that replaces it in the collapsed figure
    rects: tuple[Rect, ...]  # its members, relative to that box
    passes: int

    @property
    def label(self) -> str:
        return f"stage I: solid; stage II, {self.passes} pass{'' if self.passes == 1 else 'es'}: dashed too"


class Collapsed(NamedTuple):
    """A figure in which each ring is one box."""

    figure: Figure
    rings: tuple[Ring, ...]
    kept: tuple[int, ...]  # the indices of its other boxes in the whole figure


def collapsed(figure: Figure) -> Collapsed:
    """The figure with one box per loop that can be a ring: one with few members and no unfolded motif among them."""
    cycles = [cycle for cycle in figure.cycles if _is_ring(cycle, figure.frames)]
    apart = {member for cycle in cycles for member in cycle.members}
    kept = tuple([i for i in range(len(figure.boxes)) if i not in apart])
    rings, boxes = list[Ring](), [figure.boxes[i] for i in kept]
    to = {old: new for new, old in enumerate(kept)}
    for cycle in cycles:
        rects, room = _rects([size(figure.boxes[m]) for m in cycle.members])
        rings.append(Ring(cycle.members, len(boxes), rects, cycle.passes))
        to |= dict.fromkeys(cycle.members, len(boxes))
        boxes.append(Box("node", "", (), (), room=room))
    frames = [f._replace(members=tuple(dict.fromkeys(to[m] for m in f.members))) for f in figure.frames]
    whole = figure._replace(boxes=tuple(boxes), arrows=tuple(_outer(figure, to, apart)), frames=tuple(frames))
    return Collapsed(whole, tuple(rings), kept)


def restored(figure: Figure, small: Collapsed, layout: Layout) -> tuple[Figure, Layout]:
    """The whole figure and its layout, from the layout of the collapsed figure."""
    boxes = dict(zip(small.kept, layout.boxes, strict=False))
    arrows, curves = list(small.figure.arrows), list(layout.arrows)
    rounds = list[Frame](), list[Rect]()
    back = dict(enumerate(small.kept)) | {r.at: r.members[0] for r in small.rings}
    arrows = [a._replace(tail=back[a.tail], head=back[a.head]) for a in arrows]
    for ring in small.rings:
        around = layout.boxes[ring.at]
        for member, rect in zip(ring.members, ring.rects, strict=True):
            boxes[member] = rect.moved(around.x, around.y)
        rounds[0].append(Frame(ring.label, ring.members))
        rounds[1].append(around)
        for arrow, curve in _inner(figure, ring, boxes, around):
            arrows.append(arrow)
            curves.append(curve)
    whole = figure._replace(arrows=tuple(arrows), frames=(*small.figure.frames, *rounds[0]))
    places = tuple([boxes[i] for i in range(len(figure.boxes))])
    return whole, layout._replace(boxes=places, arrows=tuple(curves), frames=(*layout.frames, *rounds[1]))


def _is_ring(cycle: Cycle, frames: Sequence[Frame]) -> bool:
    """Whether the loop is small enough, and every frame holds all of its members or none."""
    own = set(cycle.members)
    return 1 < len(own) <= MOST and all(own <= set(f.members) or own.isdisjoint(f.members) for f in frames)


def _rects(sizes: Sequence[Point]) -> tuple[tuple[Rect, ...], Point]:
    """The members on an ellipse, clockwise from the upper left, and the size of the whole."""
    wide, high = max(w for w, _ in sizes), max(h for _, h in sizes)
    radius, turn = (wide / 2, high / 2), math.tau / len(sizes)
    while True:
        angles = [-math.pi / 2 + turn * (k - 0.5) for k in range(len(sizes))]
        made = [
            Rect(radius[0] * math.cos(a) - w / 2, radius[1] * math.sin(a) - h / 2, w, h)
            for a, (w, h) in zip(angles, sizes, strict=True)
        ]
        if all(_are_apart(a, b) for a, b in combinations(made, 2)):
            break
        radius = radius[0] * WIDER, radius[1] * WIDER
    left, top = min(r.x for r in made) - MARGIN, min(r.y for r in made) - HEAD
    room = max(r.x + r.width for r in made) + MARGIN - left, max(r.y + r.height for r in made) + MARGIN - top
    return tuple([r.moved(-left, -top) for r in made]), room


def _are_apart(a: Rect, b: Rect) -> bool:
    across = max(b.x - a.x - a.width, a.x - b.x - b.width)
    down = max(b.y - a.y - a.height, a.y - b.y - b.height)
    return max(across, down) >= GAP


def _outer(figure: Figure, to: dict[int, int], apart: set[int]) -> Iterator[Arrow]:
    """The arrows outside rings. All arrows between one box and one ring are merged."""
    joined: dict[tuple[int, int], list[Arrow]] = {}
    for i, arrow in enumerate(figure.arrows):
        ends = to[arrow.tail], to[arrow.head]
        if ends[0] != ends[1] or arrow.tail not in apart:
            is_own = arrow.tail not in apart and arrow.head not in apart
            joined.setdefault(ends if not is_own else (-1, i), []).append(arrow)
    for same in joined.values():
        first = same[0]
        # several members may read one source, whose channels then count once
        channels = sum({a.tail: a.channels for a in same}.values())
        tip = "\n".join(dict.fromkeys(a.tip for a in same))
        yield first._replace(tail=to[first.tail], head=to[first.head], channels=channels, tip=tip)


def _inner(figure: Figure, ring: Ring, boxes: dict[int, Rect], around: Rect) -> Iterator[tuple[Arrow, Curve]]:
    """The arrows between members, and one short arrow for the inputs of each member from outside."""
    middle = around.x + around.width / 2, around.y + (HEAD + around.height - MARGIN) / 2
    outside: dict[int, list[Arrow]] = {}
    for arrow in figure.arrows:
        if arrow.head in ring.members and arrow.tail not in ring.members:
            outside.setdefault(arrow.head, []).append(arrow)
        elif arrow.head in ring.members:
            yield arrow._replace(label=""), _across(boxes[arrow.tail], boxes[arrow.head])
    for head, read in outside.items():
        tip = "\n".join([*(a.tip for a in read), "stage I alone"])
        yield read[0]._replace(channels=sum(a.channels for a in read), tip=tip), _stub(boxes[head], middle)


def _across(tail: Rect, head: Rect) -> Curve:
    """A straight arrow, shifted a little to its right, which leaves space for the reverse arrow."""
    a, b = _centre(tail), _centre(head)
    far = math.dist(a, b)
    aside = (a[1] - b[1]) / far * APART, (b[0] - a[0]) / far * APART
    start = _border(tail, b, aside)
    tip = _border(head, a, aside)
    return _straight(start, tip)


def _stub(box: Rect, middle: Point) -> Curve:
    x, y = _centre(box)
    outwards = 2 * x - middle[0], 2 * y - middle[1]
    tip = _border(box, outwards, (0.0, 0.0))
    far = math.dist((x, y), outwards)
    start = tip[0] + STUB * (outwards[0] - x) / far, tip[1] + STUB * (outwards[1] - y) / far
    return _straight(start, tip)


def _straight(start: Point, tip: Point) -> Curve:
    far = max(math.dist(start, tip), TIP)
    x, y = (s + (t - s) * (1 - TIP / far) for s, t in zip(start, tip, strict=True))
    return Curve((start, start, (x, y), (x, y)), tip)


def _border(box: Rect, to: Point, aside: Point) -> Point:
    """The point where the line from the centre of a box to a point, shifted by `aside`, leaves the box."""
    (x, y), (dx, dy) = _centre(box), aside
    across, down = to[0] - x, to[1] - y
    shares = [
        (half - (move if way > 0 else -move)) / abs(way)
        for half, move, way in ((box.width / 2, dx, across), (box.height / 2, dy, down))
        if way
    ]
    share = min(shares)
    return x + dx + across * share, y + dy + down * share


def _centre(box: Rect) -> Point:
    return box.x + box.width / 2, box.y + box.height / 2
