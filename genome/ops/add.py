"""add: the sum of all inputs, as in residual networks (He et al., CVPR 2016, arXiv:1512.03385), with stochastic depth
(Huang et al., ECCV 2016, arXiv:1603.09382)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import ACTIVATION_OR_NONE, ACTIVATION_OR_NONE_SEARCH, NONE, RATE, RATE_SEARCH
from genome.joins import FIT, FIT_SEARCH, fit_cost, fit_layers, joined_shape
from genome.layer_costs import chain
from genome.op import IDENTITY, Cost, Inside, Layer, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Add(Op):
    """Sum the inputs element by element, then apply `activation`.

    n x (B, C_i, H_i, W_i) -> (B, max C_i, min H_i, min W_i)

    `fit` says how inputs of other shapes are fitted. `pad` appends zero channels (or drops those past a stated
    width) and average-pools larger images. `front` prepends the zero channels and takes every n-th pixel. `project`
    is a learned 1x1 convolution with batch norm for every input that does not fit.

    In training each input except the last is dropped with probability `drop_path`, together with the nodes that only
    it needs. In evaluation those inputs are multiplied by 1 - `drop_path`.
    """

    fit: str = gene(FIT, FIT_SEARCH, default="pad")
    activation: str = gene(ACTIVATION_OR_NONE, ACTIVATION_OR_NONE_SEARCH, default=NONE)
    drop_path: float = gene(RATE, RATE_SEARCH, default=0.0)

    many: ClassVar[bool] = True
    aligns: ClassVar[bool] = False
    width: ClassVar[Takes] = "stated"
    zeros: ClassVar[Zeros] = "given zeros"

    def in_order(self) -> bool:
        """Whether the order counts: with drop-path the last input is never dropped."""
        return self.drop_path > 0

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return joined_shape(ins, width)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        fitted = fit_cost(ins, out, self.fit)
        if self.activation == NONE:
            return fitted
        if len(ins) == 1 and ins[0] == out:  # nothing is summed: the activation reads the input itself
            kept = chain(self.activation)
            return fitted._replace(reads=(kept.reads,), keeps=kept.keeps)
        kept = chain("sum", self.activation)
        beside = 0 if self._rectifies_sum(len(ins)) else out.size  # the sum, while the activation runs
        return fitted._replace(
            saved=fitted.saved + kept.saved(0, out.size),
            scratch=max(fitted.scratch, beside),
            keeps=kept.keeps,
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        edges = tuple([fit_layers(source, out, self.fit) for source in ins])
        if self.activation == NONE:
            return Inside(edges, "sum")
        summed = ("sum",) if self._rectifies_sum(len(ins)) else ()
        after = tuple([Layer(kind, out, out) for kind in (*summed, self.activation)])
        return Inside(edges, "sum", after)

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        if any(i != out for i in ins):
            return self.described()
        if len(ins) == 1 and self.activation == NONE:
            return IDENTITY
        return self.described(fit="")

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._joins import Join, fitter
        from genome.ops._modules import act
        from genome.ops._paths import Branches

        edges = [None if i is None else fitter(i, out, self.fit) for i in ins]
        read = sum(i is not None for i in ins)
        after = None if self.activation == NONE else act(self.activation, in_place=self._rectifies_sum(read))
        return Join(
            edges, mean=False, after=after, paths=Branches(self.drop_path) if self.drop_path else None
        )

    def _rectifies_sum(self, inputs: int) -> bool:
        """Whether ReLU overwrites its input, which it may if that is a sum: no other node reads it."""
        return self.activation == "relu" and inputs > 1 and not self.drop_path
