"""draw: a genome as SVG."""

from __future__ import annotations

from genome.expand import expand
from genome.graph import Genome
from genome.picture.columns import columns
from genome.picture.figure import figure
from genome.picture.layout import place
from genome.picture.svg import svg
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
