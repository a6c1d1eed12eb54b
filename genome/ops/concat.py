"""concat: the inputs concatenated along the channels (DenseNet, Huang et al., CVPR 2017, arXiv:1608.06993)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.op import IDENTITY, Cost, Inside, Op, Shape, Takes, Zeros, op

if TYPE_CHECKING:
    from torch import nn


@op
class Concat(Op):
    """Concatenate the inputs along the channels, in the order of `in`.

    n x (B, C_i, H, W) -> (B, sum C_i, H, W)
    """

    many: ClassVar[bool] = True
    ordered: ClassVar[bool] = True
    loops: ClassVar[bool] = False
    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0].with_channels(sum(i.channels for i in ins))

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        return Cost()

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        return Inside()

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        return IDENTITY if len(ins) == 1 else self.described()

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._joins import Concat as Module

        return Module()
