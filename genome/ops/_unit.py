"""What node types share that put another operation in the place of a convolution: its norm and activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from genome.domain import OneOf
from genome.layer_costs import Chain, norm_params
from genome.op import Shape
from genome.ops.conv import form

if TYPE_CHECKING:
    from torch import nn

ORDER = OneOf("conv-norm-act", "norm-act-conv", "conv-act", "conv")


class Unit(NamedTuple):
    """The parts around the operation: their order and their genes."""

    order: str
    norm: str
    eps: float
    activation: str

    @property
    def first(self) -> bool:
        """Whether the operation reads the node's input itself."""
        return self.order.startswith("conv")

    def chain(self) -> Chain:
        """What the parts keep in memory, the operation counted as an ordinary convolution."""
        return form(self.order, self.activation).chain

    def norms(self, channels: int, width: int) -> int:
        """Learned numbers of the norm, where there is one."""
        made = form(self.order, self.activation)
        return made.before * norm_params(self.norm, channels) + made.after * norm_params(self.norm, width)

    def learns_before(self, channels: int) -> bool:
        """Whether something learned stands between the node's input and the operation."""
        return form(self.order, self.activation).before * norm_params(self.norm, channels) > 0

    def build(self, source: Shape, out: Shape, conv: nn.Module) -> nn.Module:
        """The parts in a row, `conv` in the convolution's place."""
        from genome.ops._modules import act, chained, norm

        made = {
            "norm": lambda: norm(self.norm, (out if self.first else source).channels, self.eps),
            "act": lambda: act(self.activation),
            "conv": lambda: conv,
        }
        return chained([(part, made[part]()) for part in self.order.split("-")])
