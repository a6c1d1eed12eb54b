"""A layout: the positions of a figure's boxes, arrows and frames, by Graphviz.

Graphviz gets numbers and sizes only, no text of the genome. It runs in its own process, with a time limit.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from genome.graph import GenomeError
from genome.picture import text_size
from genome.picture.figure import Arrow, Box, Figure, Frame

Point: TypeAlias = tuple[float, float]  # x to the right, y down, in pixels

MOST_NODES = 600
MOST_ARROWS = 2_000
MOST_CURVES = 300  # arrows; with more, curves would take Graphviz minutes, so straight lines are drawn
SECONDS = 30.0
FOLD = "draw the genome folded, each motif one box"
PADDING = (12.0, 8.0)  # between a box and its text, in pixels
INCH = 72.0  # Graphviz takes sizes of nodes in inches, and gives points

_CHILD = (
    "import sys, pygraphviz; sys.stdout.buffer.write("
    "pygraphviz.AGraph(string=sys.stdin.read()).draw(format='json0', prog='dot'))"
)


class Rect(NamedTuple):
    """A rectangle by its upper left corner, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, dx: float, dy: float) -> Rect:
        return self._replace(x=self.x + dx, y=self.y + dy)


class Curve(NamedTuple):
    """The line of an arrow."""

    points: tuple[Point, ...]  # a chain of cubic Bezier curves, 3n + 1 points
    tip: Point  # the point of the arrowhead
    label: Rect | None = None


class Layout(NamedTuple):
    """The positions of a figure's boxes, arrows and frames, in the figure's order."""

    boxes: tuple[Rect, ...]
    arrows: tuple[Curve, ...]
    frames: tuple[Rect, ...]
    width: float
    height: float


def place(figure: Figure) -> Layout:
    """The layout of a figure, in one column from the image at the top to the exits.

    Raises:
        GenomeError: pygraphviz is not installed; more than 600 nodes or 2,000 arrows; more than 30 seconds.
    """
    nodes, arrows = len(figure.boxes) - 1, len(figure.arrows)
    if nodes > MOST_NODES or arrows > MOST_ARROWS:
        raise GenomeError(
            f"a picture has at most {MOST_NODES} nodes and {MOST_ARROWS:,} arrows, not {nodes:,} and {arrows:,};"
            f" {FOLD}"
        )
    if importlib.util.find_spec("pygraphviz") is None:
        raise GenomeError("a picture needs pygraphviz; install it with `pip install 'genome-nas[draw]'`")
    return _read(json.loads(_graphviz(_dot(figure))), figure)


def size(box: Box) -> Point:
    """The width and height of a box around its text, in pixels."""
    across = max((text_size.width(line.text, line.style) for line in box.lines), default=0.0)
    down = sum(text_size.height(line.style) for line in box.lines)
    return max(across + 2 * PADDING[0], box.room[0]), max(down + 2 * PADDING[1], box.room[1])


def _graphviz(dot: str) -> bytes:
    # -P: a file in the current folder is never imported in place of the library
    command = [sys.executable, "-P", "-c", _CHILD]
    try:
        done = subprocess.run(command, input=dot.encode("ascii"), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise GenomeError(f"the picture took longer than {SECONDS:g} s; {FOLD}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise GenomeError(f"Graphviz could not draw the genome ({lines[-1]}); {FOLD}")
    return done.stdout


def _dot(figure: Figure) -> str:
    """The figure in the DOT language, with numbers and sizes only."""
    many = len(figure.arrows) > MOST_CURVES
    limits = "splines=line; nslimit=1; nslimit1=1; mclimit=0.2;" if many else "splines=spline;"
    lines = [
        f"digraph {{ {limits} newrank=true; nodesep=0.35; ranksep=0.42; fontname=Courier; fontsize=11;",
        'node [shape=box, fixedsize=true, label=""];',
        "edge [arrowsize=0.7, fontname=Courier, fontsize=11];",
    ]
    for i, box in enumerate(figure.boxes):
        across, down = size(box)
        lines.append(f"{i} [width={across / INCH:.3f}, height={down / INCH:.3f}];")
    lines += [_cluster(figure.frames, i) for i, frame in enumerate(figure.frames) if frame.outer is None]
    lines += [_edge(i, arrow) for i, arrow in enumerate(figure.arrows)]
    return "\n".join([*lines, "}"])


def _cluster(frames: Sequence[Frame], i: int) -> str:
    label = _blank(frames[i].label, "label")
    inner = [k for k, frame in enumerate(frames) if frame.outer == i]
    apart = {member for k in inner for member in frames[k].members}
    own = [str(member) for member in frames[i].members if member not in apart]
    within = " ".join([*own, *(_cluster(frames, k) for k in inner)])
    return f"subgraph cluster_{i} {{ margin=10; label={label}; labeljust=l; {within} }}"


def _edge(i: int, arrow: Arrow) -> str:
    label = f", label={_blank(arrow.label, 'loop')}" if arrow.label else ""
    if arrow.back:  # reversed for the ranking, so that the members of a loop stay in their order
        return f"{arrow.head} -> {arrow.tail} [id={i}, dir=back{label}];"
    return f"{arrow.tail} -> {arrow.head} [id={i}{label}];"


def _blank(text: str, style: str) -> str:
    """A placeholder in Courier as wide as the text: a character of Courier has 0.6 of its size."""
    return "x" * (round(text_size.width(text, style) / (0.6 * text_size.SIZES[style])) + 2)


def _read(answer: Any, figure: Figure) -> Layout:
    _, _, across, down = _numbers(answer["bb"])
    objects = answer.get("objects", [])
    nodes = {int(o["name"]): o for o in objects if "bb" not in o}
    frames = {int(o["name"].partition("_")[2]): o for o in objects if "bb" in o}
    edges = {int(e["id"]): e for e in answer.get("edges", [])}
    return Layout(
        tuple(_rect(nodes[i], down) for i in range(len(figure.boxes))),
        tuple(_curve(edges[i], down, arrow.label) for i, arrow in enumerate(figure.arrows)),
        tuple(_frame(frames[i], down) for i in range(len(figure.frames))),
        across,
        down,
    )


def _rect(node: Any, down: float) -> Rect:
    x, y = _numbers(node["pos"])
    width, height = float(node["width"]) * INCH, float(node["height"]) * INCH
    return Rect(x - width / 2, down - y - height / 2, width, height)


def _frame(cluster: Any, down: float) -> Rect:
    left, low, right, high = _numbers(cluster["bb"])
    return Rect(left, down - high, right - left, high - low)


def _curve(edge: Any, down: float, text: str) -> Curve:
    tip: Point | None = None
    points: list[Point] = []
    backwards = False
    for word in edge["pos"].split():
        mark, comma, rest = word.partition(",")
        if mark in ("s", "e") and comma:
            tip, backwards = _point(rest, down), mark == "s"
        else:
            points.append(_point(word, down))
    if backwards:
        points.reverse()
    return Curve(tuple(points), tip or points[-1], _label(_point(edge["lp"], down), text) if text else None)


def _label(middle: Point, text: str) -> Rect:
    across, high = text_size.width(text, "loop"), text_size.height("loop")
    return Rect(middle[0] - across / 2, middle[1] - high / 2, across, high)


def _point(text: str, down: float) -> Point:
    x, y = _numbers(text)
    return x, down - y


def _numbers(text: str) -> Sequence[float]:
    return [float(part) for part in text.split(",")]
