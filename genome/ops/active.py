"""active: a convolution that learns where its taps are (Jeon and Kim, CVPR 2017, arXiv:1703.09076)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genome.axes import Both, area, axes
from genome.common_genes import (
    ACTIVATION,
    ACTIVATION_SEARCH,
    EPS,
    EPS_SEARCH,
    NORM,
    NORM_SEARCH,
    PADDING,
    SAME,
)
from genome.domain import FLAG, Float, Int, OneOf, PerAxis
from genome.layer_costs import output_shape
from genome.op import Cost, Inside, Layer, Op, Shape, gene, op
from genome.ops._unit import ORDER, Unit

if TYPE_CHECKING:
    from torch import nn


def _has_positions(genes: Mapping[str, Any]) -> bool:
    return area(genes["kernel"]) > 1


@op
class Active(Op):
    """Convolve with taps at learned, fractional positions around a fixed centre, then apply norm and activation.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride)) with padding `same`.

    A tap reads by bilinear interpolation, and reads zeros outside the image. Taps start at the positions of an
    ordinary convolution and move at most kernel // 2 + 1 pixels from the centre along each axis. `kernel` and
    `stride` may be [height, width]: the taps of [1, 3] start in a row, and may leave it by a pixel. `groups` splits
    the output channels into groups with positions of their own; it is reduced to its greatest common divisor with
    the width.

    The positions are frozen for the first `warmup` training forwards (published: 10,000 steps) and outside
    training. After that, each tap's gradient is the derivative times `rate`, with `normalize` divided by its length.
    The backward pass computes it, so it holds for every trainer. With SGD it equals the published multiplier on the
    learning rate: each step is lr * rate pixels long. Adam cancels any scale; accumulated gradients are sums of such
    steps; a scaled loss (float16) shortens them by its scale.

    The multiply-adds counted are those of an ordinary convolution, which runs as long as no tap may move. After
    that, one dense convolution runs over the pixels that taps can reach (on a CPU: that they do reach). For a 3x3
    kernel these are 5x5 pixels, 25/9 of the multiply-adds. The plan does not count that autograd saves this kernel
    too, nor the padded copy of the input that it saves if the pixels reach further to one side.
    """

    kernel: Both = gene(PerAxis(Int(1, 7, 2)), OneOf(3, 5), default=3)
    stride: Both = gene(PerAxis(Int(1, 8)), OneOf(1, 2), default=1)
    groups: int = gene(Int(1, 65_536), OneOf(1, 2, 4), when=_has_positions, default=1)
    rate: float = gene(Float(0.0, 1.0), OneOf(0.01), when=_has_positions, default=0.01)
    warmup: int = gene(Int(0, 1_000_000), OneOf(100), when=_has_positions, default=100)
    normalize: bool = gene(FLAG, when=_has_positions, default=True)
    bias: bool = gene(FLAG, default=False)
    order: str = gene(ORDER, default="conv-norm-act")
    norm: str = gene(NORM, NORM_SEARCH, when=lambda g: "norm" in g["order"], default="batch")
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: "norm" in g["order"], default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, when=lambda g: "act" in g["order"], default="relu")
    padding: int | str = gene(PADDING, OneOf(SAME), default=SAME, later=True)

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return output_shape(ins[0], width, self.kernel, self.stride, 1, self.padding)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        (source,) = ins
        taps, unit = area(self.kernel), self._unit()
        kept, kernels = unit.chain(), taps * source.channels * out.channels
        return Cost(
            weights=kernels + 2 * (taps - 1) * self.groups_of(out) + (out.channels if self.bias else 0),
            norms=unit.norms(source.channels, out.channels),
            macs=kernels * out.height * out.width,
            first_macs=0 if unit.learns_before(source.channels) else kernels * out.height * out.width,
            saved=kept.saved(source.size, out.size),
            scratch=kept.scratch(source.size, out.size),
            reads=kept.reads,
            keeps=kept.keeps,
            layers=1,
            extent=axes(self.kernel)[0] + (2 if taps > 1 else 0),  # the furthest that taps may move
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        (source,), cost, unit = ins, self.cost(ins, out), self._unit()
        return Inside(after=unit.layers(Layer("conv", source, out, cost.weights), cost.norms))

    def groups_of(self, out: Shape) -> int:
        """The number of groups of output channels that share positions."""
        return math.gcd(self.groups, out.channels)

    def _unit(self) -> Unit:
        return Unit(self.order, self.norm, self.eps, self.activation)

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        still = self.padding == SAME and ins[0][1:] == (1, 1)  # with one pixel the stride has no effect
        alike = all(self.padding == size // 2 for size in axes(self.kernel))
        padding = SAME if alike else self.padding
        return self.described(groups=self.groups_of(out), stride=1 if still else self.stride, padding=padding)

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        source = ins[0]
        assert source is not None
        return self._unit().build(source, out, self._convolution(source.channels, out))

    def _convolution(self, channels: int, out: Shape) -> nn.Module:
        from genome.ops._active import Active as Module
        from genome.ops._modules import conv2d

        if area(self.kernel) == 1:  # only the centre, which is fixed
            return conv2d(channels, out.channels, stride=self.stride, padding=self.padding, bias=self.bias)
        return Module(
            channels, out.channels, self.kernel, self.stride, self.groups_of(out), self.bias,
            self.rate, self.warmup, self.normalize, None if self.padding == SAME else int(self.padding),
        )  # fmt: skip
