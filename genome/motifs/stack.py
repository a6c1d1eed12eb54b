"""stack: the same body several times in sequence, each one a block of the width schedule (the stages of PyramidNet:
Han et al., CVPR 2017, arXiv:1610.02915)."""

from __future__ import annotations

from genome.domain import FLAG, Int, OneOf
from genome.graph import Node, Width
from genome.motif import Fragment, Motif, strided
from genome.motifs.residual import Residual
from genome.op import Op, body, gene, op


@op
class Stack(Motif):
    """Run `depth` bodies in sequence; the first one shrinks the image by `stride`.

    Unit i is named `name.i`, so that a width schedule steps once per unit. With `ramp` unit i has i / depth times the
    body's `drop_path` (the linear decay of Huang et al., ECCV 2016, arXiv:1603.09382).
    """

    depth: int = gene(Int(1, 256), Int(1, 4), default=2)
    stride: int = gene(Int(1, 8), OneOf(1, 2), default=1)
    body: Op = body(factory=Residual)
    ramp: bool = gene(FLAG, when=lambda g: getattr(g["body"], "drop_path", 0.0) > 0, default=False)

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
        nodes: list[Node] = []
        for i in range(1, self.depth + 1):
            made = strided(f"{name}.{i}", self._unit(i), ins, width, self.stride if i == 1 else 1)
            nodes += made
            ins = (nodes[-1].name,)
        return Fragment(tuple(nodes))

    def _unit(self, i: int) -> Op:
        """The body of unit i. Only the first unit has a stride of the body's own."""
        unit = self.body
        if i > 1 and getattr(unit, "stride", 1) != 1:
            unit = unit.having(stride=1)
        return unit.having(drop_path=vars(unit)["drop_path"] * i / self.depth) if self.ramp else unit
