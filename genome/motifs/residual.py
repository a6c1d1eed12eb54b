"""residual: a body with a shortcut around it (He et al., CVPR 2016, arXiv:1512.03385; pre-activation order
arXiv:1603.05027; pyramidal order: Han et al., CVPR 2017, arXiv:1610.02915)."""

from __future__ import annotations

from typing import TypeAlias

from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH, NONE, RATE, RATE_SEARCH
from genome.domain import FLAG, Int, OneOf
from genome.graph import Node, Width
from genome.joins import FIT, FIT_SEARCH
from genome.motif import Fragment, Motif, joined, strided, times
from genome.op import Op, body, gene, op
from genome.ops.add import Add
from genome.ops.conv import Conv

# the orders of the first, the inner and the last convolution of a unit
ORDERS = {
    "post": ("conv-norm-act", "conv-norm-act", "conv-norm"),
    "pre": ("norm-act-conv", "norm-act-conv", "norm-act-conv"),
    "pyramid": ("norm-conv-norm-act", "conv-norm-act", "conv-norm"),
}


ConvSpec: TypeAlias = tuple[str, int, int, Width]  # order, kernel, stride, width


@op
class Residual(Motif):
    """Add the output of a body to its input.

    `unit: basic` is two k x k convolutions. `bottleneck` is 1x1, k x k and 1x1 convolutions, the last one with
    `expansion` times the width. `body` is any node type. `order: post` applies the activation after the addition;
    `pre` and `pyramid` do not. `stride` shrinks the image in both branches. `drop_path` is the probability with which
    a mini-batch drops the body in training (stochastic depth: Huang et al., ECCV 2016, arXiv:1603.09382).
    """

    unit: str = gene(OneOf("basic", "bottleneck", "body"), OneOf("basic", "bottleneck"), default="basic")
    order: str = gene(OneOf(*ORDERS), when=lambda g: g["unit"] != "body", default="post")
    kernel: int = gene(Int(1, 31), OneOf(3, 5), when=lambda g: g["unit"] != "body", default=3)
    stride: int = gene(Int(1, 8), OneOf(1, 2), default=1)
    expansion: int = gene(Int(1, 16), OneOf(2, 4), when=lambda g: g["unit"] == "bottleneck", default=4)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, when=lambda g: g["unit"] != "body", default="relu")
    fit: str = gene(FIT, FIT_SEARCH, default="project")
    drop_path: float = gene(RATE, RATE_SEARCH, default=0.0)
    rectify: bool = gene(FLAG, when=lambda g: g["unit"] == "body", default=False)
    body: Op = body(factory=Conv, when=lambda g: g["unit"] == "body")

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
        before, (x,) = joined(f"{name}/in", ins)
        nodes = self._body(name, x, width)
        last = nodes[-1]
        after = self.activation if self._rectifies() else NONE
        join = Add(fit=self.fit, activation=after, drop_path=self.drop_path)
        stated = last.width if isinstance(last.width, int) and last.op.width != "never" else None
        return Fragment((*before, *nodes, Node(f"{name}/add", join, (last.name, x), stated)))

    def _rectifies(self) -> bool:
        return self.rectify if self.unit == "body" else self.order == "post"

    def _body(self, name: str, x: str, width: Width) -> tuple[Node, ...]:
        if self.unit == "body":
            return tuple(strided(f"{name}/body", self.body, (x,), width, self.stride))
        first, inner, last = ORDERS[self.order]
        if self.unit == "basic":
            plan: list[ConvSpec] = [(first, self.kernel, self.stride, width), (last, self.kernel, 1, width)]
        else:
            wide = times(width, self.expansion)
            plan = [(first, 1, 1, width), (inner, self.kernel, self.stride, width), (last, 1, 1, wide)]
        return self._chain(name, x, plan)

    def _chain(self, name: str, x: str, plan: list[ConvSpec]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for i, (order, kernel, stride, width) in enumerate(plan, start=1):
            made = Conv(kernel=kernel, stride=stride, order=order, activation=self.activation)
            nodes.append(Node(f"{name}/conv{i}", made, (x,), width))
            x = nodes[-1].name
        return tuple(nodes)
