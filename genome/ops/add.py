"""add: the sum of all inputs, the residual join (He et al., CVPR 2016, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.joins import FIT, fit_cost, joined_shape
from genome.op import IDENTITY, Cost, Op, Shape, Takes, gene, op
from genome.parts import ACTIVATION_OR_NONE, NONE, chain

if TYPE_CHECKING:
    from torch import nn


@op
class Add(Op):
    """Sum the inputs element by element, then rectify where `activation` says so.

    n x (B, C_i, H_i, W_i) -> (B, max C_i, min H_i, min W_i)

    `fit: pad` appends zero channels (and drops those past a stated width); `project` learns a 1x1
    convolution with batch norm for every input that does not fit.
    """

    fit: str = gene(FIT, default="pad")
    activation: str = gene(ACTIVATION_OR_NONE, default=NONE)

    many: ClassVar[bool] = True
    aligns: ClassVar[bool] = False
    width: ClassVar[Takes] = "stated"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return joined_shape(ins, width)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        fitted = fit_cost(ins, out, self.fit)
        if self.activation == NONE:
            return fitted
        if len(ins) == 1 and ins[0] == out:  # nothing is summed: the activation takes the input itself
            kept = chain(self.activation)
            return fitted._replace(reads=(kept.reads,), keeps=kept.keeps)
        kept = chain("sum", self.activation)
        return fitted._replace(
            saved=fitted.saved + kept.saved(0, out.size),
            scratch=max(fitted.scratch, out.size),  # the sum, while the activation makes the output
            keeps=kept.keeps,
        )

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        if any(i != out for i in ins):
            return self.described()
        if len(ins) == 1 and self.activation == NONE:
            return IDENTITY
        return self.described(fit="")

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import Join, act, fitter

        edges = [None if i is None else fitter(i, out, self.fit) for i in ins]
        return Join(edges, mean=False, after=None if self.activation == NONE else act(self.activation))
