"""mean: the element-wise mean of all inputs, the join of FractalNet, with its drop-path (Larsson et al., ICLR 2017,
arXiv:1605.07648)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import RATE, RATE_SEARCH
from genome.domain import Float, Int, OneOf
from genome.joins import FIT, FIT_SEARCH, fit_cost, fit_layers, joined_shape
from genome.op import IDENTITY, Cost, Inside, Layer, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Mean(Op):
    """Average the inputs element by element, each with the same weight.

    n x (B, C_i, H_i, W_i) -> (B, max C_i, min H_i, min W_i); `fit` as in `add`.

    In training each input is dropped with probability `drop_path`, together with the nodes that only it needs; at
    least one input is kept. `columns` is the number of columns of a fractal; the inputs are then the deepest of
    these columns, shallowest first, and with probability `whole` a mini-batch keeps a single column in the whole
    network.
    """

    fit: str = gene(FIT, FIT_SEARCH, default="pad")
    drop_path: float = gene(RATE, RATE_SEARCH, default=0.0)
    columns: int = gene(Int(0, 16), OneOf(0), default=0)
    whole: float = gene(Float(0.0, 1.0), OneOf(0.0, 0.5), when=lambda g: g["columns"] > 0, default=0.0)

    many: ClassVar[bool] = True
    aligns: ClassVar[bool] = False
    width: ClassVar[Takes] = "stated"
    zeros: ClassVar[Zeros] = "given zeros"

    def in_order(self) -> bool:
        return self.columns > 0

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        if 0 < self.columns < len(ins):
            raise ValueError(
                f"reads {len(ins)} inputs; a join of {self.columns} columns reads at most {self.columns}"
            )
        return joined_shape(ins, width)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        fitted = fit_cost(ins, out, self.fit)
        return fitted._replace(scratch=max(fitted.scratch, out.size))  # the sum, while it is divided

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        edges = tuple([fit_layers(source, out, self.fit) for source in ins])
        return Inside(edges, "sum", (Layer("divide", out, out),) if len(ins) > 1 else ())

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        if any(i != out for i in ins):
            return self.described()
        if len(ins) == 1:
            return IDENTITY
        return self.described(fit="")

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._joins import Join, fitter
        from genome.ops._paths import Columns

        drops = self.drop_path > 0 or self.whole > 0
        paths = Columns(self.drop_path, self.columns, self.whole) if drops else None
        return Join([None if i is None else fitter(i, out, self.fit) for i in ins], mean=True, paths=paths)
