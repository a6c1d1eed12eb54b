"""draw: a genome as SVG."""

from __future__ import annotations

from collections.abc import Callable, Collection

from genome.expand import Parts, expand, unfold
from genome.graph import IMAGE, Genome
from genome.op import words
from genome.picture.columns import columns
from genome.picture.figure import figure, unfolded_figure
from genome.picture.layout import place
from genome.picture.ring import closed, opened
from genome.picture.svg import Links, svg
from genome.plan import Plan
from genome.resolve import resolve


def draw(drawn: Genome | Plan, folded: bool = True) -> str:
    """The picture of a genome as an SVG document that needs nothing beside it.

    Folded, a motif is one box with its sums; unfolded, the plain nodes it stands for. A plan holds its genome
    unfolded. Boxes are coloured by node type, arrows are as thick as the logarithm of their channels; what a
    loop reads in its later passes is dashed.

    Raises:
        GenomeError: a genome that does not resolve; no pygraphviz; more nodes than a picture can hold.
    """
    plan = drawn if isinstance(drawn, Plan) else resolve(drawn)
    shown = plan.genome if isinstance(drawn, Plan) else drawn if folded else expand(drawn)
    what = figure(shown, plan)
    return svg(what, columns(place(what)))


def draw_unfolded(drawn: Genome, names: Collection[str], address: Callable[[Collection[str]], str]) -> str:
    """The picture of a genome with the motifs of these names written out, as an SVG document to walk through.

    Every motif is a link: to the picture in which it is unfolded, or folded again with all that it wrote. `address`
    gives the address of a picture by the names that are unfolded there. A small loop is drawn as a ring. The boxes
    of `picture_words()[i]` have the class `wi`.

    Raises:
        GenomeError: as `draw` and `unfold` do.
    """
    shown = unfold(drawn, names)
    plan = resolve(drawn)
    motifs = {node.name: address({*names, node.name}) for node in shown.genome.nodes if node.op.expands()}
    motifs |= {name: address(without(names, name, shown.parts)) for name in shown.motifs}
    what = unfolded_figure(shown, plan)
    small = closed(what)
    whole, layout = opened(what, small, columns(place(small.figure)))
    return svg(whole, layout, Links(motifs, picture_words()))


def without(names: Collection[str], folded: str, parts: Parts) -> set[str]:
    """The names without that of a motif which is folded again, and those of the motifs that it wrote."""
    gone = [folded]
    for name in gone:
        gone += parts.get(name, ())
    return set(names).difference(gone)


def picture_words() -> list[str]:
    """Every word that a box can have, in the order of their classes."""
    return sorted((IMAGE, *words()))
