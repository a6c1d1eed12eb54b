"""conv: a convolution with its norm and activation in any published order.

conv-norm-act is the layer of ResNet (He et al., CVPR 2016, arXiv:1512.03385), norm-act-conv that of its
pre-activation form (arXiv:1603.05027), norm-conv-norm-act and conv-norm are the two halves of a PyramidNet block (Han
et al., CVPR 2017, arXiv:1610.02915), and conv and conv-act are the layers of networks without batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from genome.axes import Both, area, axes, dilates, effective, extents
from genome.common_genes import (
    ACTIVATION,
    ACTIVATION_SEARCH,
    EPS,
    EPS_SEARCH,
    NORM,
    NORM_SEARCH,
    PADDING,
    RATE,
    RATE_SEARCH,
    SAME,
)
from genome.domain import FLAG, Int, OneOf, PerAxis
from genome.layer_costs import Chain, bordered, chain, norm_params, output_shape, padded_numbers, row
from genome.op import Cost, Inside, Op, Shape, gene, op

if TYPE_CHECKING:
    from torch import nn

ORDER = OneOf(
    "conv-norm-act", "norm-act-conv", "act-conv-norm", "norm-conv-norm-act", "conv-norm", "conv-act", "conv"
)


class Form(NamedTuple):
    """An order of layers, followed through."""

    chain: Chain
    before: int  # norms before the convolution
    after: int  # norms after it


@cache
def form(order: str, activation: str, pads: bool = False, gathers: bool = False, drops: bool = False) -> Form:
    """The memory and the norms of an order of layers.

    `pads` says that the convolution reads a padded copy, `gathers` that several inputs are concatenated, and `drops`
    that dropout follows, which saves one more map of the output's size.
    """
    parts = [activation if part == "act" else part for part in order.split("-")]
    at = parts.index("conv")
    norms = parts[:at].count("norm"), parts[at:].count("norm")
    kept = chain(*(["cat"] if gathers else []), *parts[:at], *(["pad"] if pads else []), *parts[at:])
    return Form(kept._replace(after=kept.after + drops), *norms)


@op
class Conv(Op):
    """Apply a convolution, norms and activations, in the order that `order` spells.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride)) with padding `same`.

    Several inputs are concatenated. Each input has its own kernel, so that a pass of a loop may read some of them.
    `groups` is the number of groups of each input's kernel, reduced to its greatest common divisor with the channel
    counts. `kernel`, `stride` and `dilation` may be [height, width]. `dropout` is the share of the convolution's
    outputs that are set to zero in training.
    """

    kernel: Both = gene(PerAxis(Int(1, 31)), OneOf(1, 3, 5, 7), default=3)
    stride: Both = gene(PerAxis(Int(1, 8)), OneOf(1, 2), default=1)
    dilation: Both = gene(PerAxis(Int(1, 16)), OneOf(1, 2), when=dilates, default=1)
    groups: int = gene(Int(1, 65_536), OneOf(1, 2, 4, 8), default=1)
    padding: int | str = gene(PADDING, OneOf(SAME), default=SAME)
    bias: bool = gene(FLAG, default=False)
    order: str = gene(ORDER, default="conv-norm-act")
    norm: str = gene(NORM, NORM_SEARCH, when=lambda g: "norm" in g["order"], default="batch")
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: "norm" in g["order"], default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, when=lambda g: "act" in g["order"], default="relu")
    dropout: float = gene(RATE, RATE_SEARCH, default=0.0)

    many: ClassVar[bool] = True

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return output_shape(ins[0], width, self.kernel, self.stride, self.dilation, self.padding)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        channels, size = sum(i.channels for i in ins), sum(i.size for i in ins)
        window, pixels = out.channels * area(self.kernel), out.height * out.width
        each = [source.channels // self.groups_of(source, out) * window for source in ins]
        kernels = sum(each)
        border = padded_numbers(ins, self.kernel, self.dilation, self.padding)
        kept, before, after = form(self.order, self.activation, border > 0, len(ins) > 1, self.dropout > 0)
        numbers = out.size
        ahead = before * norm_params(self.norm, channels)
        splits = len(ins) > 1 and any(self.groups_of(source, out) > 1 for source in ins)
        return Cost(
            weights=kernels + (out.channels if self.bias else 0),
            norms=ahead + after * norm_params(self.norm, out.channels),
            macs=kernels * pixels,
            first_macs=0 if ahead else tuple([kernel * pixels for kernel in each]),
            saved=kept.saved(size, numbers) + border,
            scratch=kept.scratch(size, numbers) + (border and border - size) + (2 * numbers if splits else 0),
            reads=kept.reads,
            keeps=kept.keeps,
            layers=1,
            extent=extents(self.kernel, self.dilation)[0],
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        whole = ins[0].with_channels(sum(i.channels for i in ins))
        kinds = [self.activation if part == "act" else part for part in self.order.split("-")]
        if self.dropout:
            kinds.insert(kinds.index("conv") + 1, "dropout")
        border = bordered(whole, self.kernel, self.dilation, self.padding)
        return Inside(
            after=row(
                kinds, whole, out, self.cost(ins, out).weights, self.norm, border, self.groups_of(ins[0], out)
            )
        )

    def groups_of(self, source: Shape, out: Shape) -> int:
        """The number of groups of the kernel over `source`."""
        return 1 if self.groups == 1 else math.gcd(self.groups, source.channels, out.channels)

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        groups = sorted((i.channels, self.groups_of(i, out)) for i in ins)
        if self.padding == SAME and ins[0][1:] == (1, 1):  # with one pixel stride and dilation have no effect
            return self.described(groups=groups, stride=1, dilation=1)
        return self.described(groups=groups, dilation=effective(self.dilation, self.kernel))

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from torch import nn

        from genome.ops._kernels import Kernels, Window
        from genome.ops._modules import act, chained, conv2d, norm

        read = [source for source in ins if source is not None]
        window = Window(self.kernel, self.stride, self.dilation, self.padding)
        parts: list[tuple[str, nn.Module]] = []
        channels = sum(source.channels for source in read)
        for part in self.order.split("-"):
            if part == "norm":
                parts.append((part, norm(self.norm, channels, self.eps)))
            elif part == "act":
                parts.append((part, act(self.activation)))
            elif len(ins) == 1:
                groups = self.groups_of(read[0], out)
                parts.append(
                    (part, conv2d(channels, out.channels, *window[:3], groups, window.padding, self.bias))
                )
            else:
                each = [1 if i is None else self.groups_of(i, out) for i in ins]
                parts.append((part, Kernels(ins, out.channels, each, window, self.bias)))
            if part == "conv":
                channels = out.channels
                parts += [("dropout", nn.Dropout(self.dropout))] if self.dropout else []
        return chained(parts, gathers=len(ins) > 1)
