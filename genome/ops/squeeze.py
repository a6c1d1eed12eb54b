"""squeeze: channel attention (squeeze and excitation, Hu et al., CVPR 2018, arXiv:1709.01507; with ratio 2 that of
CliqueNet's transitions, Yang et al., CVPR 2018, arXiv:1802.10419)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH
from genome.domain import FLAG, Int, OneOf
from genome.layer_costs import chain
from genome.op import Cost, Op, Shape, Takes, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Squeeze(Op):
    """Multiply each channel by s = sigmoid(W2 act(W1 mean(x) + b1) + b2), where mean(x) is the mean of each channel.

    (B, C, H, W) -> (B, C, H, W)

    W1 has C / `ratio` outputs, rounded down, and at least one.
    """

    ratio: int = gene(Int(1, 64), OneOf(2, 4, 16), default=2)
    bias: bool = gene(FLAG, default=True)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, default="relu")

    width: ClassVar[Takes] = "never"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0]

    def _hidden(self, out: Shape) -> int:
        return max(1, out.channels // self.ratio)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        channels, hidden = out.channels, self._hidden(out)
        layer = chain("conv", self.activation)  # a linear layer saves what a convolution saves
        return Cost(
            weights=2 * channels * hidden + (channels + hidden if self.bias else 0),
            macs=2 * channels * hidden,
            first_macs=channels * hidden,
            saved=2 * channels + (layer.after + 1) * hidden,  # the means and s; the input of W2
            scratch=channels,
            reads=True,
            layers=2,
            extent=out.height,
        )

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        return self.described(ratio=self._hidden(out))

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act
        from genome.ops._squeeze import Squeeze as Module

        return Module(out.channels, self._hidden(out), self.bias, act(self.activation))
