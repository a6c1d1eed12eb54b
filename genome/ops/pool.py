"""pool: max or average pooling (LeCun et al., Proc. IEEE 86(11), 1998; compared by Scherer et al., ICANN 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.domain import FLAG, Int, OneOf
from genome.op import IDENTITY, Cost, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn

INDEX = 2  # an int64 index counts as two float32 numbers


@op
class Pool(Op):
    """Take the maximum or the mean of each window.

    (B, C, H, W) -> (B, C, H', W'), H' = floor or ceil of (H + 2 padding - size) / stride + 1.

    With `ceil` the last window must begin inside the image, as in torch. A window larger than the image is reduced
    to the image, so that every pool fits. Averages include the zeros of the padding, as in torch and Caffe.
    """

    kind: str = gene(OneOf("max", "avg"), default="max")
    size: int = gene(Int(1, 64), OneOf(2, 3), default=2)
    stride: int = gene(Int(1, 64), OneOf(1, 2), default=2)
    padding: int = gene(Int(0, 32), Int(0, 1), default=0)
    ceil: bool = gene(FLAG, default=False)

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        source = ins[0]
        return Shape(source.channels, self._axis(source.height)[2], self._axis(source.width)[2])

    def _axis(self, pixels: int) -> tuple[int, int, int]:
        """The window, the padding and the output pixels along one axis."""
        size = min(self.size, pixels)
        pad = min(self.padding, size // 2)
        room = pixels + 2 * pad - size
        out = (-(-room // self.stride) if self.ceil else room // self.stride) + 1
        if self.ceil and (out - 1) * self.stride >= pixels + pad:
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
            extent=self.size,
            stride=self.stride,
        )

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        sides = self._axis(ins[0].height), self._axis(ins[0].width)
        if out == ins[0] and all(size == 1 for size, _, _ in sides):
            return IDENTITY
        stride = self.stride if out.height > 1 or out.width > 1 else 1
        return (self.word, self.kind, stride, *(side[:2] for side in sides))

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from torch import nn

        source = ins[0]
        assert source is not None
        (h, pad_h, _), (w, pad_w, _) = self._axis(source.height), self._axis(source.width)
        made = nn.MaxPool2d if self.kind == "max" else nn.AvgPool2d
        return made((h, w), self.stride, (pad_h, pad_w), ceil_mode=self.ceil)
