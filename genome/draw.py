"""draw: a genome as SVG."""

from __future__ import annotations

from collections.abc import Callable, Collection

from genome.expand import Parts, expand, unfold
from genome.graph import IMAGE, Genome
from genome.op import words
from genome.picture.columns import TALLEST, columns
from genome.picture.figure import figure, unfolded_figure
from genome.picture.layout import place
from genome.picture.ring import collapsed, restored
from genome.picture.svg import Links, svg
from genome.plan import Plan
from genome.resolve import resolve


def draw(drawn: Genome | Plan, folded: bool = True) -> str:
    """The picture of a genome as a self-contained SVG document.

    With `folded` a motif is one box with the sums of its nodes, else it is drawn as its plain nodes. A plan is always
    drawn unfolded. Boxes have the colour of their node type. The width of an arrow grows with the logarithm of its
    channels; inputs that a loop reads only in its later passes are dashed.

    Raises:
        GenomeError: a genome that does not resolve; pygraphviz is not installed; too many nodes for a picture.
    """
    plan = drawn if isinstance(drawn, Plan) else resolve(drawn)
    shown = plan.genome if isinstance(drawn, Plan) else drawn if folded else expand(drawn)
    what = figure(shown, plan)
    return svg(what, columns(place(what)))


def draw_unfolded(
    drawn: Genome,
    names: Collection[str],
    address: Callable[[Collection[str]], str],
    tallest: float = TALLEST,
    show: Collection[str] = (),
) -> str:
    """The picture of a genome with the motifs of these names unfolded, as an SVG document with links.

    Every motif links to the picture in which it is unfolded, or folded again together with the motifs inside it.
    `address` gives the URL of a picture for the names that are unfolded in it. A small loop is drawn as a ring. The
    boxes of `picture_words()[i]` have the CSS class `wi`. A picture of more than `tallest` pixels is set in columns.
    `show` has `defaults` for the genes at their default, and `shapes` for the shape on each arrow.

    Raises:
        GenomeError: as `draw` and `unfold`.
    """
    shown = unfold(drawn, names)
    plan = resolve(drawn)
    motifs = {node.name: address({*names, node.name}) for node in shown.genome.nodes if node.op.expands()}
    motifs |= {name: address(without(names, name, shown.parts)) for name in shown.motifs}
    what = unfolded_figure(shown, plan, show)
    small = collapsed(what)
    whole, layout = restored(what, small, columns(place(small.figure), tallest))
    return svg(whole, layout, Links(motifs, picture_words()))


def without(names: Collection[str], folded: str, parts: Parts) -> set[str]:
    """The unfolded names after `folded` is folded again: without it and without the motifs inside it."""
    gone = [folded]
    for name in gone:
        gone += parts.get(name, ())
    return set(names).difference(gone)


def picture_words() -> list[str]:
    """Every word that a box can have, in the order of their CSS classes."""
    return sorted((IMAGE, *words()))
