"""lrn: local response normalisation across channels (Krizhevsky et al., NIPS 2012).

The constants are those of torch and Caffe, which divide `alpha` by `size`. AlexNet's alpha of 1e-4, which the paper
multiplies by the plain sum over five channels, is 5e-4 here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.domain import Float, Int, OneOf
from genome.op import Cost, Inside, Layer, Op, Shape, Takes, Zeros, gene, op

if TYPE_CHECKING:
    from torch import nn


@op
class Lrn(Op):
    """Divide by `(k + alpha / size * s) ** beta`, where s is the sum of the squares in `size` neighbouring channels.

    (B, C, H, W) -> (B, C, H, W)

    With an even `size` there is one more channel before than after. Channels past the ends count as zeros.
    """

    size: int = gene(Int(1, 64), OneOf(3, 5), default=5)
    alpha: float = gene(Float(1e-9, 100.0), OneOf(1e-4, 5e-4), default=5e-4)
    beta: float = gene(Float(0.01, 4.0), OneOf(0.5, 0.75), default=0.75)
    k: float = gene(Float(0.01, 100.0), OneOf(1.0, 2.0), default=2.0)

    width: ClassVar[Takes] = "never"
    zeros: ClassVar[Zeros] = "given zeros"

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0]

    def _reach(self, out: Shape) -> tuple[int, int]:
        """The number of neighbours before and after, at most one less than the channels."""
        return min(self.size // 2, out.channels - 1), min((self.size - 1) // 2, out.channels - 1)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        return Cost(scratch=out.size, reads=True)  # the squares

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        return Inside(after=(Layer("own", out, out, 0, 1, 0, out.size, 4 * out.size),))

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        return (self.word, *self._reach(out), self.alpha / self.size, self.beta, self.k)

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._lrn import Lrn as Module

        return Module(*self._reach(out), self.alpha / self.size, self.beta, self.k)
