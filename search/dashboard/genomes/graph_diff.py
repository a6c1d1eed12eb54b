"""The difference of two genomes as graphs: in words, and as two pictures with the differences marked."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import genome
from genome import Genome
from genome.op import Op
from genome.picture.columns import columns
from genome.picture.figure import Arrow, Box, Figure, Line, described, figure, shortened
from genome.picture.layout import place
from genome.picture.svg import svg
from genome.yaml.source import SourceError
from search.dashboard.genomes.picture import EMPTY, one_at_a_time
from search.space.mismatch import told

KEPT = 64  # cached pictures
WHOLE = ("input", "classes", "widths", "loops")  # the fields of a genome beside its nodes
LONGEST = 300  # characters of a value


class PartChange(NamedTuple):
    """The change of a gene, of the inputs or width of a node, or of a field of the genome."""

    part: str  # its name
    before: str
    after: str


class NodeChange(NamedTuple):
    """The changes of a node that both genomes have."""

    node: str
    parts: tuple[PartChange, ...]


class GraphDiff(NamedTuple):
    """The changes from one genome to another."""

    added: tuple[str, ...]  # names of nodes
    dropped: tuple[str, ...]  # names of nodes
    changed: tuple[NodeChange, ...]
    whole: tuple[PartChange, ...]  # of the fields of the genome

    def __bool__(self) -> bool:
        return any(self[:])


def graph_diff(before: Genome, after: Genome) -> GraphDiff:
    """Return the changes from one genome to another, without the change of their names."""
    diff = before.diff(after)
    whole = [(name, getattr(before, name), getattr(after, name)) for name in WHOLE]
    return GraphDiff(
        diff.added,
        diff.dropped,
        tuple(NodeChange(name, _parts(before, after, name, parts)) for name, parts in diff.changed.items()),
        tuple(_part(name, a, b) for name, a, b in whole if a != b),
    )


def _parts(
    before: Genome, after: Genome, name: str, parts: Mapping[str, tuple[Any, Any]]
) -> tuple[PartChange, ...]:
    """The changes of one node; a change of the node type includes the genes of both types."""
    if "op" in parts:
        kinds = _part("op", before.by_name[name].op, after.by_name[name].op)
        return kinds, *(_part(part, *parts[part]) for part in ("in", "width") if part in parts)
    return tuple(_part(part, a, b) for part, (a, b) in parts.items())


def _part(name: str, before: Any, after: Any) -> PartChange:
    return PartChange(name, _told(before), _told(after))


def _told(value: Any) -> str:
    """A value of a genome in words; a node type is given with the genes that are not at their default."""
    if isinstance(value, Op):
        word, _, genes = described(value).partition(": ")
        value = f"{word} ({genes})" if genes else word
    return shortened(value if isinstance(value, str) else told(value), LONGEST)


@lru_cache(maxsize=KEPT)
def picture(text: str, other: str, is_after: bool) -> str:
    """Return the picture of a genome as an SVG document, its differences from another genome marked.

    A genome that cannot be drawn yields a picture of the reason. `is_after`: this genome is the later one.
    """
    try:
        with one_at_a_time:
            mine, others = genome.loads(text), genome.loads(other)
            diff = graph_diff(others, mine) if is_after else graph_diff(mine, others)
            plain = figure(mine, genome.resolve(mine))
            marked = _marked(plain, mine, others, diff, is_after)
            return svg(marked, columns(place(marked)))
    except (genome.GenomeError, SourceError) as error:
        message = "".join(c if c.isprintable() else " " for c in str(error))
        return EMPTY.format(html.escape(message))


def _marked(plain: Figure, mine: Genome, others: Genome, diff: GraphDiff, is_after: bool) -> Figure:
    own, word = (diff.added, "added") if is_after else (diff.dropped, "dropped")
    changed = {one.node: one.parts for one in diff.changed}
    boxes = [plain.boxes[0]]
    for node, box in zip(mine.nodes, plain.boxes[1:], strict=True):
        if node.name in own:
            boxes.append(_annotated(box, word, f"{'+' if is_after else chr(0x2212)} {word}"))
        elif node.name in changed:
            boxes.append(_annotated(box, "changed", *(_own(one, is_after) for one in changed[node.name])))
        else:
            boxes.append(box)
    known = {(source, node.name) for node in others.nodes for source in node.ins}
    names = [genome.graph.IMAGE, *mine.by_name]

    def arrow(one: Arrow) -> Arrow:
        return one if (names[one.tail], names[one.head]) in known else one._replace(mark=word)

    return plain._replace(boxes=tuple(boxes), arrows=tuple(map(arrow, plain.arrows)))


def _own(one: PartChange, is_after: bool) -> str:
    """The line that a box gets for a change; the node type already stands in the box."""
    value = one.after if is_after else one.before
    return f"≠ {one.part}" if one.part == "op" else f"≠ {one.part}: {value}"


def _annotated(box: Box, mark: str, *lines: str) -> Box:
    added = tuple(Line("size", shortened(text)) for text in lines)
    return box._replace(mark=mark, lines=(*box.lines, *added))
