"""deform: deformable convolution (Dai et al., ICCV 2017, arXiv:1703.06211; v2: Zhu et al., arXiv:1811.11168)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genome.axes import Both, area, axes, dilates, effective, extents
from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH, EPS, EPS_SEARCH, NORM, NORM_SEARCH, SAME
from genome.domain import FLAG, Float, Int, OneOf, PerAxis
from genome.layer_costs import output_shape
from genome.op import Cost, Inside, Layer, Op, Shape, gene, op
from genome.ops._unit import ORDER, Unit

if TYPE_CHECKING:
    from torch import nn


@op
class Deform(Op):
    """Convolve with taps that are moved at each output pixel by offsets, which a convolution of the input predicts.

    (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))

    The offset convolution has the same kernel, stride and dilation, each of which may be [height, width]; its weights
    and bias start at zero. A tap
    reads by bilinear interpolation, and reads zeros outside the image. `groups` splits the input channels evenly into
    groups with offsets of their own; it is reduced to its greatest common divisor with the channels. `kernel_groups`
    is the number of groups of the kernel, as `groups` in `conv`, reduced to its greatest common divisor with the
    channels and the width. `rate` multiplies the gradient of the offset convolution's weights and bias (published: 1,
    for v2 0.1).

    `modulation` (v2) multiplies the value that each tap reads. `unit` multiplies by 2 sigmoid, as the authors'
    example does, so that the layer starts as the plain convolution. `half` multiplies by sigmoid, which starts at a
    half.

    On CUDA torchvision's kernel runs. On other devices one call samples all taps, and a matrix product follows. Both
    are equal, also in the gradient of an offset whose tap is exactly on a pixel, as all are at the start: it is the
    right-sided derivative. The saved memory is that of sampling; torchvision's kernel saves less.
    """

    kernel: Both = gene(PerAxis(Int(1, 7, 2)), OneOf(3, 5), default=3)
    stride: Both = gene(PerAxis(Int(1, 8)), OneOf(1, 2), default=1)
    dilation: Both = gene(PerAxis(Int(1, 16)), OneOf(1, 2), when=dilates, default=1)
    groups: int = gene(Int(1, 65_536), OneOf(1, 2, 4), default=1)
    modulation: str = gene(OneOf("none", "unit", "half"), default="none")
    rate: float = gene(Float(0.0, 1.0), OneOf(0.1, 1.0), default=1.0)
    bias: bool = gene(FLAG, default=False)
    order: str = gene(ORDER, default="conv-norm-act")
    norm: str = gene(NORM, NORM_SEARCH, when=lambda g: "norm" in g["order"], default="batch")
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: "norm" in g["order"], default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, when=lambda g: "act" in g["order"], default="relu")
    kernel_groups: int = gene(Int(1, 65_536), OneOf(1), default=1, later=True)

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return output_shape(ins[0], width, self.kernel, self.stride, self.dilation, SAME)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        (source,) = ins
        taps, unit, groups = area(self.kernel), self._unit(), self.groups_of(source)
        masks = 0 if self.modulation == "none" else taps * groups
        given = 2 * taps * groups + masks  # channels of the offset convolution
        kernels = taps * source.channels * (given + out.channels // self.kernel_groups_of(source, out))
        kept, pixels = unit.chain(), out.height * out.width
        grid, read = 2 * taps * groups * pixels, taps * source.channels * pixels
        masks *= pixels
        masked = masks and masks * (2 if self.modulation == "unit" else 1) + read
        return Cost(
            weights=kernels + given + (out.channels if self.bias else 0),
            norms=unit.norms(source.channels, out.channels),
            macs=kernels * pixels,
            # only the offset convolution: the positions that taps read are learned
            first_macs=0 if unit.learns_before(source.channels) else taps * source.channels * given * pixels,
            saved=kept.saved(source.size, out.size) + grid + read + masked,
            scratch=max(kept.scratch(source.size, out.size), self._scratch(source, grid, read, masks)),
            reads=kept.reads,
            keeps=kept.keeps,
            layers=2,
            extent=extents(self.kernel, self.dilation)[0],  # at the start; offsets have no bound
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        (source,), cost, unit = ins, self.cost(ins, out), self._unit()
        pixels = out.height * out.width
        read = area(self.kernel) * source.channels * pixels
        saved = cost.saved - unit.chain().saved(source.size, out.size)
        made = Layer("own", source, out, cost.weights, 1, saved, max(cost.scratch, 2 * read), 2 * read)
        return Inside(after=unit.layers(made, cost.norms))

    def _scratch(self, source: Shape, grid: int, read: int, masks: int) -> int:
        """The peak of the numbers alive while taps are read.

        Beside the offsets and the mask these are the grid while it is made, the grid and the values read, or the
        values before and after their product with the mask.
        """
        beside = (0 if self._unit().first else source.size) + grid + 2 * masks
        return beside + max(2 * grid, grid + read, 2 * read if masks else 0)

    def groups_of(self, source: Shape) -> int:
        """The number of groups of input channels that share offsets."""
        return math.gcd(self.groups, source.channels)

    def kernel_groups_of(self, source: Shape, out: Shape) -> int:
        """The number of groups of the kernel."""
        return math.gcd(self.kernel_groups, source.channels, out.channels)

    def _unit(self) -> Unit:
        return Unit(self.order, self.norm, self.eps, self.activation)

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        stride = 1 if ins[0][1:] == (1, 1) else self.stride  # with one pixel the stride has no effect
        kernel_groups = self.kernel_groups_of(ins[0], out)
        dilation = effective(self.dilation, self.kernel)
        return self.described(
            groups=self.groups_of(ins[0]), stride=stride, dilation=dilation, kernel_groups=kernel_groups
        )

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._deform import Deform as Module

        source = ins[0]
        assert source is not None
        made = Module(
            source.channels, out.channels, self.kernel, self.stride, self.dilation, self.groups_of(source),
            self.bias, self.modulation, self.rate, self.kernel_groups_of(source, out),
        )  # fmt: skip
        return self._unit().build(source, out, made)
