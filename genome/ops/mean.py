"""mean: the element-wise mean of all inputs, the fractal join (Larsson et al., ICLR 2017, arXiv:1605.07648)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.joins import FIT, fit_cost, joined_shape
from genome.op import IDENTITY, Cost, Op, Shape, Takes, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Mean(Op):
    """Average the inputs element by element, each with the same weight.

    n x (B, C_i, H_i, W_i) -> (B, max C_i, min H_i, min W_i); `fit` as in `add`.
    """

    fit: str = gene(FIT, default="pad")

    many: ClassVar[bool] = True
    aligns: ClassVar[bool] = False
    width: ClassVar[Takes] = "stated"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return joined_shape(ins, width)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        fitted = fit_cost(ins, out, self.fit)
        return fitted._replace(scratch=max(fitted.scratch, out.size))  # the sum, while it is divided

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        if any(i != out for i in ins):
            return self.described()
        if len(ins) == 1:
            return IDENTITY
        return self.described(fit="")

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import Join, fitter

        return Join([None if i is None else fitter(i, out, self.fit) for i in ins], mean=True)
