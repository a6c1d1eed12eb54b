"""A figure: the boxes, arrows and frames of a genome's picture and their texts, without positions."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from genome.expand import Unfolded
from genome.graph import IMAGE, Genome, Loop, Node
from genome.op import Op, Shape
from genome.plan import Plan
from genome.text import flow, written_op
from genome.totals import Total, totals

Kind: TypeAlias = Literal["image", "node", "motif", "exit", "unused"]
Style: TypeAlias = Literal["name", "op", "size"]

DEFAULTS, SHAPES = DETAILS = ("defaults", "shapes")  # genes at their default, shapes on arrows
LINE_LENGTH = 34  # characters; longer texts are wrapped
LONGEST_TITLE = 100  # characters


class Line(NamedTuple):
    """One line of text in a box."""

    style: Style
    text: str


class Box(NamedTuple):
    """One node, or the image."""

    kind: Kind
    word: str
    lines: tuple[Line, ...]
    tip: tuple[str, ...]  # the lines of its tooltip
    name: str = IMAGE
    room: tuple[float, float] = (0.0, 0.0)  # its least width and height, in pixels
    mark: str = ""  # added, dropped, changed or nothing


class Arrow(NamedTuple):
    """An edge of the graph."""

    tail: int  # the index of the box that is read
    head: int  # the index of the box that reads it
    channels: int
    back: bool  # whether only the later passes of a loop read it
    label: str
    tip: str  # its tooltip
    mark: str = ""


class Frame(NamedTuple):
    """A frame around the boxes of one block, or of an unfolded motif."""

    label: str
    members: tuple[int, ...]  # indices of boxes
    outer: int | None = None  # the index of the frame around this one
    name: str = ""  # the name of the motif
    tip: tuple[str, ...] = ()  # the lines of its tooltip


class Cycle(NamedTuple):
    """A loop."""

    members: tuple[int, ...]  # indices of boxes, in order of evaluation
    passes: int


class Figure(NamedTuple):
    """The content of a picture."""

    name: str
    summary: str
    boxes: tuple[Box, ...]  # the first one is the image
    arrows: tuple[Arrow, ...]
    frames: tuple[Frame, ...]
    cycles: tuple[Cycle, ...] = ()


def figure(genome: Genome, plan: Plan) -> Figure:
    """The figure of a genome as written, with one box per motif; `plan` is its plan."""
    known = totals(genome, plan)
    frames = _frames(genome)
    framed = {genome.nodes[i - 1].name for frame in frames for i in frame.members}
    boxes = [
        Box("image", IMAGE, (Line("name", IMAGE), Line("size", str(genome.input))), (str(genome.input),))
    ]
    boxes += [_box(n, known[n.name], n.block if n.name in framed else None) for n in genome.nodes]
    title = shortened(genome.name, LONGEST_TITLE)
    return Figure(title, _summary(plan), tuple(boxes), tuple(_arrows(genome, known)), tuple(frames))


def unfolded_figure(shown: Unfolded, plan: Plan, show: Collection[str] = ()) -> Figure:
    """The figure of a genome with some motifs unfolded: each is a frame, inside the frame of the motif it came from.

    show: of `DETAILS`, what boxes and arrows tell beside the usual.
    """
    genome, known = shown.genome, totals(shown.genome, plan)
    of = {part: motif for motif, parts in shown.parts.items() for part in parts}
    boxes = [
        Box("image", IMAGE, (Line("name", IMAGE), Line("size", str(genome.input))), (str(genome.input),))
    ]
    boxes += [_box(n, known[n.name], of.get(n.name), "+ ", DEFAULTS in show) for n in genome.nodes]
    place = {node.name: i for i, node in enumerate(genome.nodes, start=1)}
    return Figure(
        shortened(genome.name, LONGEST_TITLE),
        _summary(plan),
        tuple(boxes),
        tuple(_arrows(genome, known, SHAPES in show)),
        tuple(_motif_frames(shown, of, known, place)),
        tuple(Cycle(tuple(place[m] for m in loop.order), loop.passes) for loop in genome.loops),
    )


def _motif_frames(
    shown: Unfolded, of: dict[str, str], known: dict[str, Total], place: dict[str, int]
) -> Iterator[Frame]:
    """The frames of the unfolded motifs, outer ones first."""
    inside: dict[str, list[str]] = {name: [] for name in shown.motifs}
    for name in place:
        motif = of.get(name)
        while motif is not None:
            inside[motif].append(name)
            motif = of.get(motif)
    at = {name: i for i, name in enumerate(shown.motifs)}
    for name, node in shown.motifs.items():
        own, label = inside[name], f"\N{MINUS SIGN} {name}: {described(node.op)}"
        sums = Total(None, sum(known[n].params for n in own), sum(known[n].macs for n in own))
        tip = (_written(node), *_counts(sums))
        yield Frame(shortened(label), tuple(place[n] for n in own), at.get(of.get(name, "")), name, tip)


def _summary(plan: Plan) -> str:
    exits = f", {len(plan.exits)} exits" if len(plan.exits) > 1 else ""
    return (
        f"{short(plan.params)} params, {short(plan.macs)} MACs, depth {plan.depth}, "
        f"{plan.genome.classes} classes{exits}"
    )


def _box(node: Node, total: Total, frame: str | None, sign: str = "", with_defaults: bool = False) -> Box:
    """The box of a node. A motif's name begins with `sign`; a name omits the name of its frame."""
    name = node.name.removeprefix(f"{frame}/")
    name = sign + name if node.op.motif else name
    line = _written(node)
    if total.out is None:
        lines = _lines(name, node.op, "no exit needs this")
        return Box("unused", node.op.word, lines, (line, "unused"), node.name)
    kind: Kind = "motif" if node.op.motif else "exit" if node.is_exit else "node"
    size = f"{total.out.channels} classes" if kind == "exit" else str(total.out)
    has = [f"{short(n)} {what}" for n, what in ((total.params, "params"), (total.macs, "MACs")) if n]
    tip = (line, f"output {total.out}", *_counts(total))
    usual = _defaults(node.op) if with_defaults else ()
    lines = _lines(name, node.op, *usual, size, *([", ".join(has)] if has else []))
    return Box(kind, node.op.word, lines, tip, node.name)


def _written(node: Node) -> str:
    return f"{node.name}: {flow({**written_op(node.op), 'in': list(node.ins)})}"


def _counts(total: Total) -> tuple[str, str]:
    return f"{total.params:,} params", f"{total.macs:,} MACs per image"


def _lines(name: str, op: Op, *sizes: str) -> tuple[Line, ...]:
    what = described(op)
    says = textwrap.wrap(what, LINE_LENGTH, break_on_hyphens=False) if what != name else []
    names = textwrap.wrap(name, LINE_LENGTH) or [name]
    return (
        *[Line("name", n) for n in names],
        *[Line("op", s) for s in says],
        *[Line("size", s) for s in sizes],
    )


def described(op: Op) -> str:
    """A node type and its genes that are not at their default, such as `conv: kernel 5, stride 2`."""
    own = vars(op)
    genes = [_gene(g.name, own[g.name]) for g in op.genes if own[g.name] != g.default]
    return f"{op.word}: {', '.join(genes)}" if genes else op.word


def _defaults(op: Op) -> list[str]:
    """The genes of a node type that are at their default, as lines."""
    own, written = vars(op), written_op(op)
    genes = [_gene(g.name, own[g.name]) for g in op.genes if g.name in written and own[g.name] == g.default]
    return textwrap.wrap(f"({', '.join(genes)})", LINE_LENGTH, break_on_hyphens=False) if genes else []


def _gene(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, Op):
        word, _, genes = described(value).partition(": ")
        return f"{name} {word} ({genes})" if genes else f"{name} {word}"
    if isinstance(value, tuple):
        return f"{name} {'x'.join(map(str, value))}"
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


def _arrows(genome: Genome, known: dict[str, Total], with_shapes: bool = False) -> list[Arrow]:
    place = {IMAGE: 0, **{node.name: i for i, node in enumerate(genome.nodes, start=1)}}
    loop_of = {member: loop for loop in genome.loops for member in loop.order}
    made: list[Arrow] = []
    named: set[str] = set()
    for node in genome.nodes:
        loop = loop_of.get(node.name)
        for source in node.ins:
            shape = genome.input if source == IMAGE else known[source].out
            back = loop is not None and _is_back(loop, source, node.name)
            label = str(shape) if with_shapes and shape else ""
            if back and loop is not None and loop.name not in named:
                named.add(loop.name)
                label = f"loop {shortened(loop.name)}, {loop.passes} pass{'' if loop.passes == 1 else 'es'}"
            tip = _tip(source, node.name, shape) + (f" (loop {loop.name})" if back and loop else "")
            made.append(
                Arrow(place[source], place[node.name], shape.channels if shape else 0, back, label, tip)
            )
    return made


def _is_back(loop: Loop, source: str, member: str) -> bool:
    return source in loop.order and loop.order.index(source) >= loop.order.index(member)


def _tip(source: str, node: str, shape: Shape | None) -> str:
    return f"{source} -> {node}" + (f": {shape}" if shape else "")


def _frames(genome: Genome) -> list[Frame]:
    blocks: dict[str, list[int]] = {}
    for i, node in enumerate(genome.nodes, start=1):
        if "/" in node.name:
            blocks.setdefault(node.block, []).append(i)
    return [Frame(shortened(block), tuple(members)) for block, members in blocks.items() if len(members) > 1]


def shortened(text: str, most: int = LINE_LENGTH) -> str:
    """The beginning of a text that is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def short(count: float) -> str:
    """A count with three digits, such as 12.3k or 4.5M."""
    value = float(count)
    for letter in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.3g}{letter}"
        value /= 1000
    return f"{value:.3g}T"
