"""separable: a depthwise convolution, then a pointwise one (Howard et al., MobileNet v1, arXiv:1704.04861)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.axes import Both, area, axes, dilates, effective, extents
from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH, EPS, EPS_SEARCH, NORM, NORM_SEARCH, SAME
from genome.domain import FLAG, Int, OneOf, PerAxis
from genome.layer_costs import bordered, chain, norm_params, output_shape, padded_numbers, row
from genome.op import Cost, Inside, Op, Shape, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Separable(Op):
    """Apply one k x k filter per channel, norm and activation, then a 1x1 convolution, norm and activation.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))

    Several inputs are concatenated. Each input has its own filters and its own part of the 1x1 kernel, so that a
    pass of a loop may read some of them. `kernel`, `stride` and `dilation` may be [height, width].
    """

    kernel: Both = gene(PerAxis(Int(1, 31)), OneOf(3, 5, 7), default=3)
    stride: Both = gene(PerAxis(Int(1, 8)), OneOf(1, 2), default=1)
    dilation: Both = gene(PerAxis(Int(1, 16)), OneOf(1, 2), when=dilates, default=1)
    bias: bool = gene(FLAG, default=False)
    norm: str = gene(NORM, NORM_SEARCH, default="batch")
    eps: float = gene(EPS, EPS_SEARCH, default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, default="relu")

    many: ClassVar[bool] = True

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return output_shape(ins[0], width, self.kernel, self.stride, self.dilation, SAME)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        channels, size = sum(i.channels for i in ins), sum(i.size for i in ins)
        filters, points = area(self.kernel) * channels, channels * out.channels
        middle = channels * out.height * out.width
        gathers = len(ins) > 1
        half = chain("conv", "norm", self.activation)
        border = padded_numbers(ins, self.kernel, self.dilation, SAME)
        first = (gathers and size) + (border or 0) + middle  # the filters' input and output
        return Cost(
            weights=filters + points + (channels + out.channels if self.bias else 0),
            norms=norm_params(self.norm, channels) + norm_params(self.norm, out.channels),
            macs=(filters + points) * out.height * out.width,
            first_macs=tuple([area(self.kernel) * i.channels * out.height * out.width for i in ins]),
            # the 1x1 convolution saves the output of the first half
            saved=half.after * (middle + out.size) + middle + (border or (gathers and size)),
            scratch=max(first, 2 * middle, middle + out.size, 2 * out.size) - out.size,
            reads=not border and not gathers,
            keeps=half.keeps,
            layers=2,
            extent=extents(self.kernel, self.dilation)[0],
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        whole = ins[0].with_channels(sum(i.channels for i in ins))
        middle, kinds = out.with_channels(whole.channels), ("conv", "norm", self.activation)
        border = bordered(whole, self.kernel, self.dilation, SAME)
        filters = row(
            kinds, whole, middle, area(self.kernel) * whole.channels, self.norm, border, whole.channels
        )
        return Inside(after=(*filters, *row(kinds, middle, out, whole.channels * out.channels, self.norm)))

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        if ins[0][1:] == (1, 1):  # stride and dilation have no effect
            return self.described(stride=1, dilation=1)
        return self.described(dilation=effective(self.dilation, self.kernel))

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._kernels import Kernels, Window
        from genome.ops._modules import act, chained, norm

        channels = sum(i.channels for i in ins if i is not None)
        window = Window(self.kernel, self.stride, self.dilation)
        ones = [1] * len(ins)
        return chained(
            [
                ("depthwise", Kernels(ins, channels, ones, window, self.bias, depthwise=True)),
                ("norm", norm(self.norm, channels, self.eps)),
                ("act", act(self.activation)),
                ("pointwise", Kernels(ins, out.channels, ones, bias=self.bias)),
                ("norm", norm(self.norm, out.channels, self.eps)),
                ("act", act(self.activation)),
            ],
            gathers=True,
        )
