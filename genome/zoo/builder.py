"""builder: a genome that is built node by node."""

from __future__ import annotations

from genome.graph import IMAGE, Genome, GenomeError, Loop, Node, Times
from genome.op import Op, Shape
from genome.widths import Widths

MOST = 31  # rows of a map that one convolution may cover


def covering(rows: int, name: str) -> int:
    """The kernel of a convolution over the whole map, which is a linear layer.

    Raises:
        GenomeError: a map that has not 1 to 31 rows.
    """
    if not 1 <= rows <= MOST:
        raise GenomeError(f"{name}'s last map has {max(rows, 0)} rows for this input; it may have 1..{MOST}")
    return rows


class GenomeBuilder:
    """The nodes and loops added so far."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.loops: list[Loop] = []

    @property
    def last(self) -> str:
        """The name of the last node, or of the image if there is none."""
        return self.nodes[-1].name if self.nodes else IMAGE

    def add(self, name: str, op: Op, width: int | Times | None = None, reads: tuple[str, ...] = ()) -> str:
        """Add a node that reads the last node, or `reads`, and return its name."""
        self.nodes.append(Node(name, op, reads or (self.last,), width))
        return name

    def genome(
        self, name: str, input: tuple[int, int, int], classes: int, widths: Widths | None = None
    ) -> Genome:
        """The genome of these nodes."""
        return Genome(name, Shape(*input), classes, tuple(self.nodes), widths, tuple(self.loops))
