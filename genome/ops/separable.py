"""separable: depthwise convolution, then pointwise (Howard et al., MobileNet v1, arXiv:1704.04861)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.domain import FLAG, Int, OneOf
from genome.op import Cost, Op, Shape, gene, op
from genome.parts import ACTIVATION, NORM, SAME, bordered, chain, window

if TYPE_CHECKING:
    from torch import nn


@op
class Separable(Op):
    """One k x k filter per channel, norm, activation; then a 1x1 convolution, norm, activation.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))

    With several inputs each has its own filters, and the 1x1 convolutions are summed: the separable
    convolution of their concatenation.
    """

    kernel: int = gene(Int(1, 31), OneOf(3, 5, 7), default=3)
    stride: int = gene(Int(1, 8), OneOf(1, 2), default=1)
    dilation: int = gene(Int(1, 16), OneOf(1, 2), when=lambda g: g["kernel"] > 1, default=1)
    bias: bool = gene(FLAG, default=False)
    norm: str = gene(NORM, default="batch")
    activation: str = gene(ACTIVATION, default="relu")

    many: ClassVar[bool] = True

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        first = ins[0]
        place = (self.kernel, self.stride, self.dilation, SAME)
        return Shape(width, window(first.height, *place), window(first.width, *place))

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        channels = sum(i.channels for i in ins)
        filters = self.kernel**2 * channels
        points = channels * out.channels
        mid = channels * out.height * out.width
        widest = max(i.channels for i in ins) * out.height * out.width
        pair = max(2 * widest, widest + out.size, 2 * out.size)  # neighbours in the chain over one input
        half = chain("conv", "norm", self.activation)
        border = bordered(ins, self.kernel, self.dilation, SAME)
        return Cost(
            weights=filters + points + (channels + out.channels if self.bias else 0),
            norms=2 * channels + 2 * out.channels,
            macs=(filters + points) * out.height * out.width,
            saved=half.after * (mid + out.size)
            + mid
            + border,  # the 1x1 convolution keeps what the first half gives
            scratch=max(pair, border + widest) - (out.size if len(ins) == 1 else 0),
            reads=border == 0,
            keeps=half.keeps,
            layers=2,
            extent=self.dilation * (self.kernel - 1) + 1,
            stride=self.stride,
        )

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        one_pixel = ins[0][1:] == (1, 1)  # there is nowhere to step
        return self.described(stride=1, dilation=1) if one_pixel else self.described()

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act, chained, conv2d, norm, summed

        single = len(ins) == 1

        def edge(source: Shape) -> list[tuple[str, nn.Module]]:
            c = source.channels
            return [
                ("depthwise", conv2d(c, c, self.kernel, self.stride, self.dilation, c, SAME, self.bias)),
                ("norm", norm(self.norm, c)),
                ("act", act(self.activation)),
                ("pointwise", conv2d(c, out.channels, bias=self.bias and single)),
            ]

        after = [("norm2", norm(self.norm, out.channels)), ("act2", act(self.activation))]
        if single:
            assert ins[0] is not None
            return chained([*edge(ins[0]), *after])
        return summed(
            [None if i is None else chained(edge(i)) for i in ins], out.channels, self.bias, chained(after)
        )
