"""mlpconv: a convolution whose filter is a small network (Lin et al., Network in Network, ICLR 2014,
arXiv:1312.4400)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genome.axes import Both, area, axes, extents
from genome.common_genes import (
    ACTIVATION,
    ACTIVATION_SEARCH,
    EPS,
    EPS_SEARCH,
    NONE,
    NORM_OR_NONE,
    NORM_OR_NONE_SEARCH,
    PADDING,
    SAME,
)
from genome.domain import FLAG, Int, OneOf, PerAxis
from genome.layer_costs import bordered, chain, norm_params, output_shape, padded_numbers, row
from genome.op import Cost, Inside, Layer, Op, Shape, gene, op

if TYPE_CHECKING:
    from torch import nn

INNER = Int(0, 65_536)  # channels; 0 stands for the node's width
INNER_SEARCH = OneOf(0, 16, 32)


@op
class Mlpconv(Op):
    """Apply a k x k convolution and two 1x1 convolutions, each followed by the norm, if any, and the activation.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride)) with padding `same`.

    `first` is the width of the k x k convolution and `second` that of the first 1x1 convolution; 0 stands for the
    node's width. `kernel` and `stride` may be [height, width].
    """

    kernel: Both = gene(PerAxis(Int(1, 31)), OneOf(3, 5), default=3)
    stride: Both = gene(PerAxis(Int(1, 8)), OneOf(1, 2), default=1)
    padding: int | str = gene(PADDING, OneOf(SAME), default=SAME)
    first: int = gene(INNER, INNER_SEARCH, default=0)
    second: int = gene(INNER, INNER_SEARCH, default=0)
    bias: bool = gene(FLAG, default=True)
    norm: str = gene(NORM_OR_NONE, NORM_OR_NONE_SEARCH, default=NONE)
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: g["norm"] != NONE, default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, default="relu")

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return output_shape(ins[0], width, self.kernel, self.stride, 1, self.padding)

    def _widths(self, out: Shape) -> tuple[int, int, int]:
        """Channels after each of the three convolutions."""
        return self.first or out.channels, self.second or out.channels, out.channels

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        one, two, three = self._widths(out)
        pixels = out.height * out.width
        sizes = (one * pixels, two * pixels, out.size)
        first = area(self.kernel) * ins[0].channels * one
        kernels = first + one * two + two * three
        biases = one + two + three if self.bias else 0
        layer = chain("conv", *([] if self.norm == NONE else ["norm"]), self.activation)
        border = padded_numbers(ins, self.kernel, 1, self.padding)
        within = (size + layer.scratch(0, size) for size in sizes)
        between = (border + sizes[0], sizes[0] + sizes[1], sizes[1] + sizes[2])
        return Cost(
            weights=kernels + biases,
            norms=sum(norm_params(self.norm, channels) for channels in (one, two, three)),
            macs=kernels * pixels,
            first_macs=first * pixels,
            # a 1x1 convolution saves the output of the layer before it
            saved=layer.after * sum(sizes) + sizes[0] + sizes[1] + border,
            scratch=max(*within, *between) - out.size,
            reads=not border,
            keeps=layer.keeps,
            layers=3,
            extent=extents(self.kernel, 1)[0],
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        kinds = ["conv", *([] if self.norm == NONE else ["norm"]), self.activation]
        border = bordered(ins[0], self.kernel, 1, self.padding)
        made: list[Layer] = []
        at, taps = ins[0], area(self.kernel)
        for width in self._widths(out):
            after = out.with_channels(width)
            made += row(kinds, at, after, taps * at.channels * width, self.norm, border)
            at, taps, border = after, 1, None
        return Inside(after=tuple(made))

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        first, second, _ = self._widths(out)
        still = self.padding == SAME and ins[0][1:] == (1, 1)  # with one pixel the stride has no effect
        return self.described(first=first, second=second, stride=1 if still else self.stride)

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act, chained, conv2d, norm

        assert ins[0] is not None
        channels, kernel, stride, padding = ins[0].channels, self.kernel, self.stride, self.padding
        parts: list[tuple[str, nn.Module]] = []
        for i, width in enumerate(self._widths(out), start=1):
            made = conv2d(channels, width, kernel, stride, padding=padding, bias=self.bias)
            parts.append((f"conv{i}", made))
            parts += [(f"norm{i}", norm(self.norm, width, self.eps))] if self.norm != NONE else []
            parts.append((f"act{i}", act(self.activation)))
            channels, kernel, stride, padding = width, 1, 1, SAME
        return chained(parts)
