"""dense: every layer reads all before it (DenseNet, Huang et al., CVPR 2017, arXiv:1608.06993)."""

from __future__ import annotations

from genome.common_genes import ACTIVATION, NORM
from genome.domain import FLAG, Int, OneOf
from genome.graph import Node
from genome.motif import Fragment, Motif, joined
from genome.op import Op, gene, op
from genome.ops.concat import Concat
from genome.ops.conv import Conv

NARROW = 4  # a bottleneck has four times the growth (section 3 of the paper)


@op
class Dense(Motif):
    """Let every layer read the input and all layers before it.

    `layers` convolutions of `growth` channels each, norm and activation first; the output is the
    concatenation of the input and all of them. With `bottleneck` a 1x1 convolution to
    4 x growth channels stands before each.

    A stated width is the width of a 1x1 convolution that ends the block (the transition's compression);
    without one the block has as many channels as it gathered.
    """

    layers: int = gene(Int(1, 128), Int(1, 4), default=4)
    growth: int = gene(Int(1, 1024), OneOf(4, 8, 12), default=12)
    kernel: int = gene(Int(1, 31), OneOf(3, 5), default=3)
    bottleneck: bool = gene(FLAG, default=False)
    norm: str = gene(NORM, default="batch")
    activation: str = gene(ACTIVATION, default="relu")

    def expand(self, name: str, ins: tuple[str, ...], width: int | None) -> Fragment:
        before, (x,) = joined(f"{name}/in", ins)
        nodes: list[Node] = [*before]
        read: tuple[str, ...] = (x,)
        for i in range(1, self.layers + 1):
            source = read
            if self.bottleneck:
                nodes.append(Node(f"{name}/narrow{i}", self._conv(1), read, NARROW * self.growth))
                source = (nodes[-1].name,)
            nodes.append(Node(f"{name}/conv{i}", self._conv(self.kernel), source, self.growth))
            read = (*read, nodes[-1].name)
        if width is None:
            nodes.append(Node(f"{name}/out", Concat(), read))
        else:
            nodes.append(Node(f"{name}/out", self._conv(1), read, width))
        return Fragment(tuple(nodes))

    def _conv(self, kernel: int) -> Op:
        return Conv(kernel=kernel, order="norm-act-conv", norm=self.norm, activation=self.activation)
