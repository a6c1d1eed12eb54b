"""pool: max or average pooling (LeCun et al., Proc. IEEE 86(11), 1998; compared by Scherer et al., ICANN 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.axes import Both, axes
from genome.domain import FLAG, Int, OneOf, PerAxis
from genome.op import IDENTITY, Cost, Inside, Layer, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn

INDEX = 2  # an int64 index counts as two float32 numbers


@op
class Pool(Op):
    """Take the maximum or the mean of each window.

    (B, C, H, W) -> (B, C, H', W'), H' = floor or ceil of (H + 2 padding - size) / stride + 1.

    With `ceil` the last window must begin inside the image, as in torch. A window larger than the image is reduced
    to the image, so that every pool fits. Averages include the zeros of the padding, as in torch and Caffe. `size` and
    `stride` may be [height, width].
    """

    kind: str = gene(OneOf("max", "avg"), default="max")
    size: Both = gene(PerAxis(Int(1, 64)), OneOf(2, 3), default=2)
    stride: Both = gene(PerAxis(Int(1, 64)), OneOf(1, 2), default=2)
    padding: int = gene(Int(0, 32), Int(0, 1), default=0)
    ceil: bool = gene(FLAG, default=False)

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        source = ins[0]
        (_, _, height), (_, _, width) = self._sides(source)
        return Shape(source.channels, height, width)

    def _sides(self, source: Shape) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """The window, the padding and the output pixels along each axis."""
        (rows, columns), (down, across) = axes(self.size), axes(self.stride)
        return self._axis(source.height, rows, down), self._axis(source.width, columns, across)

    def _axis(self, pixels: int, size: int, stride: int) -> tuple[int, int, int]:
        size = min(size, pixels)
        pad = min(self.padding, size // 2)
        room = pixels + 2 * pad - size
        out = (-(-room // stride) if self.ceil else room // stride) + 1
        if self.ceil and (out - 1) * stride >= pixels + pad:
            out -= 1
        return size, pad, out

    def looped(self, **genes: Any) -> Op:
        """A pool with a window of three around each pixel, which keeps the size."""
        return super().looped(size=3, padding=1, ceil=False, **genes)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        indices = INDEX * out.size if self.kind == "max" else 0
        return Cost(
            saved=indices,
            scratch=indices,
            reads=True,
            extent=axes(self.size)[0],
            stride=axes(self.stride)[0],
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        return Inside(after=(Layer("max" if self.kind == "max" else "shrink", ins[0], out),))

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        sides = self._sides(ins[0])
        if out == ins[0] and all(size == 1 for size, _, _ in sides):
            return IDENTITY
        stride = self.stride if out.height > 1 or out.width > 1 else 1
        return (self.word, self.kind, stride, *(side[:2] for side in sides))

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from torch import nn

        source = ins[0]
        assert source is not None
        (h, pad_h, _), (w, pad_w, _) = self._sides(source)
        made = nn.MaxPool2d if self.kind == "max" else nn.AvgPool2d
        return made((h, w), self.stride, (pad_h, pad_w), ceil_mode=self.ceil)
