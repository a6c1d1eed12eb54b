"""act: a norm and an activation without a convolution, as after the pools of a perturbative block (Juefei-Xu et
al., CVPR 2018, arXiv:1806.01817) and at the start of BranchyNet's branches (ICPR 2016, arXiv:1709.01686)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import (
    ACTIVATION_OR_NONE,
    ACTIVATION_OR_NONE_SEARCH,
    EPS,
    EPS_SEARCH,
    NONE,
    NORM_OR_NONE,
    NORM_OR_NONE_SEARCH,
)
from genome.layer_costs import chain, norm_params, row
from genome.op import IDENTITY, Cost, Inside, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Act(Op):
    """Apply a norm, then an activation; either may be `none`.

    (B, C, H, W) -> (B, C, H, W)
    """

    norm: str = gene(NORM_OR_NONE, NORM_OR_NONE_SEARCH, default=NONE)
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: g["norm"] != NONE, default=1e-5)
    activation: str = gene(ACTIVATION_OR_NONE, ACTIVATION_OR_NONE_SEARCH, default="relu")

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0]

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        parts = (["norm"] if self.norm != NONE else []) + [p for p in [self.activation] if p != NONE]
        kept = chain(*parts)
        return Cost(
            norms=norm_params(self.norm, out.channels),
            saved=kept.saved(out.size, out.size),
            scratch=kept.scratch(out.size, out.size),
            reads=kept.reads,
            keeps=kept.keeps,
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        kinds = [kind for kind in ("norm" if self.norm != NONE else NONE, self.activation) if kind != NONE]
        return Inside(after=row(kinds, ins[0], out, 0, self.norm))

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        return IDENTITY if self.norm == self.activation == NONE else self.described()

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act, chained, norm

        parts: list[tuple[str, nn.Module]] = []
        parts += [("norm", norm(self.norm, out.channels, self.eps))] if self.norm != NONE else []
        parts += [("act", act(self.activation))] if self.activation != NONE else []
        return chained(parts)
