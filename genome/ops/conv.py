"""conv: a convolution with its norm and activation in any published order.

conv-norm-act is the ResNet unit (He et al., CVPR 2016, arXiv:1512.03385), norm-act-conv its pre-activation
form (arXiv:1603.05027), norm-conv-norm-act and conv-norm the two halves of a PyramidNet block (Han et al.,
CVPR 2017, arXiv:1610.02915), conv and conv-act the forms before batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from genome.domain import FLAG, Int, OneOf
from genome.op import Cost, Op, Shape, gene, op
from genome.parts import ACTIVATION, NORM, PADDING, SAME, Chain, bordered, chain, window

if TYPE_CHECKING:
    from torch import nn

ORDER = OneOf(
    "conv-norm-act", "norm-act-conv", "act-conv-norm", "norm-conv-norm-act", "conv-norm", "conv-act", "conv"
)


@cache
def _form(order: str, activation: str, pads: bool) -> tuple[Chain, int, int]:
    """What an order keeps in memory, and its norms before and after the convolution."""
    parts = [activation if part == "act" else part for part in order.split("-")]
    at = parts.index("conv")
    norms = parts[:at].count("norm"), parts[at:].count("norm")
    return chain(*parts[:at], *(["pad"] if pads else []), *parts[at:]), *norms


@op
class Conv(Op):
    """Convolve, normalise and rectify, in the order that `order` spells.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride)) with padding `same`.

    With several inputs there is one kernel per input, and the results are summed: the convolution of their
    concatenation. `groups` are reduced to the greatest number that divides it and all channel counts.
    """

    kernel: int = gene(Int(1, 31), OneOf(1, 3, 5, 7), default=3)
    stride: int = gene(Int(1, 8), OneOf(1, 2), default=1)
    dilation: int = gene(Int(1, 16), OneOf(1, 2), when=lambda g: g["kernel"] > 1, default=1)
    groups: int = gene(Int(1, 65_536), OneOf(1, 2, 4, 8), default=1)
    padding: int | str = gene(PADDING, OneOf(SAME), default=SAME)
    bias: bool = gene(FLAG, default=False)
    order: str = gene(ORDER, default="conv-norm-act")
    norm: str = gene(NORM, when=lambda g: "norm" in g["order"], default="batch")
    activation: str = gene(ACTIVATION, when=lambda g: "act" in g["order"], default="relu")

    many: ClassVar[bool] = True

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        first = ins[0]
        place = (self.kernel, self.stride, self.dilation, self.padding)
        return Shape(width, window(first.height, *place), window(first.width, *place))

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        channels = size = kernels = 0
        for source in ins:
            channels += source.channels
            size += source.size
            kernels += source.channels // self.groups_of(source, out)
        kernels *= out.channels * self.kernel**2
        border = bordered(ins, self.kernel, self.dilation, self.padding)
        kept, before, after = _form(self.order, self.activation, border > 0)
        numbers = out.size
        return Cost(
            weights=kernels + (out.channels if self.bias else 0),
            norms=2 * (before * channels + after * out.channels),
            macs=kernels * out.height * out.width,
            saved=kept.saved(size, numbers) + border,
            scratch=(kept.scratch(size, numbers) if len(ins) == 1 else self._scratch(ins, numbers, kept))
            + (border and border - size),
            reads=kept.reads,
            keeps=kept.keeps,
            layers=1,
            extent=self.dilation * (self.kernel - 1) + 1,
            stride=self.stride,
        )

    def _scratch(self, ins: Sequence[Shape], numbers: int, kept: Chain) -> int:
        """Beside the running sum: the chain over the largest input, or one more map and their sum."""
        return numbers + max(numbers, kept.scratch(max(i.size for i in ins), numbers))

    def groups_of(self, source: Shape, out: Shape) -> int:
        """The groups of the kernel over `source`."""
        return 1 if self.groups == 1 else math.gcd(self.groups, source.channels, out.channels)

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        groups = sorted((i.channels, self.groups_of(i, out)) for i in ins)
        if self.padding == SAME and ins[0][1:] == (1, 1):  # one pixel: there is nowhere to step
            return self.described(groups=groups, stride=1, dilation=1)
        return self.described(groups=groups)

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act, chained, conv2d, norm, summed

        parts = self.order.split("-")
        at = parts.index("conv")

        def edge(source: Shape) -> list[tuple[str, nn.Module]]:
            made = [
                (p, norm(self.norm, source.channels) if p == "norm" else act(self.activation))
                for p in parts[:at]
            ]
            bias = self.bias and len(ins) == 1
            kernel = conv2d(
                source.channels, out.channels, self.kernel, self.stride, self.dilation,
                self.groups_of(source, out), self.padding, bias,
            )  # fmt: skip
            return [*made, ("conv", kernel)]

        after = [
            (p, norm(self.norm, out.channels) if p == "norm" else act(self.activation))
            for p in parts[at + 1 :]
        ]
        if len(ins) == 1:
            assert ins[0] is not None
            return chained([*edge(ins[0]), *((f"{p}2" if p in parts[:at] else p, m) for p, m in after)])
        return summed(
            [None if i is None else chained(edge(i)) for i in ins], out.channels, self.bias, chained(after)
        )
