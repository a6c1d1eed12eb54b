"""stack: the same body several times in a row, each one a block of the width schedule (PyramidNet's stages:
Han et al., CVPR 2017, arXiv:1610.02915)."""

from __future__ import annotations

from genome.domain import Int, OneOf
from genome.graph import Node
from genome.motif import Fragment, Motif, strided
from genome.motifs.residual import Residual
from genome.op import Op, body, gene, op


@op
class Stack(Motif):
    """Put `depth` bodies in a row; the first shrinks the image by `stride`.

    Unit i is named `name.i`, so that a width schedule steps once per unit.
    """

    depth: int = gene(Int(1, 256), Int(1, 4), default=2)
    stride: int = gene(Int(1, 8), OneOf(1, 2), default=1)
    body: Op = body(factory=Residual)

    def expand(self, name: str, ins: tuple[str, ...], width: int | None) -> Fragment:
        nodes: list[Node] = []
        for i in range(1, self.depth + 1):
            made = strided(f"{name}.{i}", self._unit(i), ins, width, self.stride if i == 1 else 1)
            nodes += made
            ins = (nodes[-1].name,)
        return Fragment(tuple(nodes))

    def _unit(self, i: int) -> Op:
        """The body; a stride of its own is for the first unit alone."""
        if i > 1 and getattr(self.body, "stride", 1) != 1:
            return self.body.having(stride=1)
        return self.body
