"""zero: an edge that is left out, the `none` of DARTS (Liu et al., ICLR 2019, arXiv:1806.09055) and of
NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv:2001.00326)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from genome.op import Cost, Op, Shape, Takes, Zeros, op

if TYPE_CHECKING:
    from torch import nn


@op
class Zero(Op):
    """Output zeros of the input's shape.

    (B, C, H, W) -> (B, C, H, W)

    A search chooses this type where a choice of nodes may also be no edge. A sum leaves zeros out when it is resolved.
    """

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "always"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0]

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        return Cost()

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import Zeros

        return Zeros()
