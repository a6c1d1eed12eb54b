"""The norm and activation around an operation that replaces an ordinary convolution, as in `active` and `deform`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from genome.domain import OneOf
from genome.layer_costs import Chain, norm_params
from genome.op import Layer, Shape
from genome.ops.conv import form

if TYPE_CHECKING:
    from torch import nn

ORDER = OneOf("conv-norm-act", "norm-act-conv", "conv-act", "conv")


class Unit(NamedTuple):
    """The genes of the layers around the operation."""

    order: str
    norm: str
    eps: float
    activation: str

    @property
    def first(self) -> bool:
        """Whether the operation comes first."""
        return self.order.startswith("conv")

    def chain(self) -> Chain:
        """The activation memory of the layers, with an ordinary convolution in the operation's place."""
        return form(self.order, self.activation).chain

    def norms(self, channels: int, width: int) -> int:
        """The parameters of the norm, if there is one."""
        made = form(self.order, self.activation)
        return made.before * norm_params(self.norm, channels) + made.after * norm_params(self.norm, width)

    def learns_before(self, channels: int) -> bool:
        """Whether a layer with parameters comes before the operation."""
        return form(self.order, self.activation).before * norm_params(self.norm, channels) > 0

    def layers(self, operation: Layer, norm_params: int) -> tuple[Layer, ...]:
        """The layers around an operation. norm_params: of the norm, if there is one."""
        made: list[Layer] = []
        at = operation.before
        for part in self.order.split("-"):
            if part == "conv":
                made.append(operation)
                at = operation.after
            else:
                kind, own = (self.activation, 0) if part == "act" else (part, norm_params)
                made.append(Layer(kind, at, at, own))
        return tuple(made)

    def build(self, source: Shape, out: Shape, conv: nn.Module) -> nn.Module:
        """The layers in sequence, with `conv` as the operation."""
        from genome.ops._modules import act, chained, norm

        made = {
            "norm": lambda: norm(self.norm, (out if self.first else source).channels, self.eps),
            "act": lambda: act(self.activation),
            "conv": lambda: conv,
        }
        return chained([(part, made[part]()) for part in self.order.split("-")])
