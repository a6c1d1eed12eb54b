"""dropout: set random numbers to zero in training (Hinton et al., arXiv:1207.0580; Srivastava et al., JMLR
15, 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import RATE, RATE_SEARCH
from genome.op import IDENTITY, Cost, Inside, Layer, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Dropout(Op):
    """Set a share `rate` of the numbers to zero in training, and divide the others by 1 - `rate`.

    (B, C, H, W) -> (B, C, H, W)
    """

    rate: float = gene(RATE, RATE_SEARCH, default=0.5)

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0]

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        return Cost(saved=out.size if self.rate else 0)  # the factors

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        return Inside(after=(Layer("dropout", out, out),) if self.rate else ())

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        return self.described() if self.rate else IDENTITY

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.rate) if self.rate else nn.Identity()
