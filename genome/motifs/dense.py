"""dense: every layer reads all earlier layers (DenseNet, Huang et al., CVPR 2017, arXiv:1608.06993)."""

from __future__ import annotations

from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH, NORM
from genome.domain import FLAG, Int, OneOf
from genome.graph import Node, Width
from genome.motif import Fragment, Motif, joined
from genome.op import Op, gene, op
from genome.ops.concat import Concat
from genome.ops.conv import Conv

NARROW = 4  # a bottleneck has four times the growth (section 3 of the paper)


@op
class Dense(Motif):
    """Let every layer read the input and all earlier layers.

    The block has `layers` convolutions of `growth` channels each, with norm and activation first. Its output is the
    concatenation of the input and all layers. With `bottleneck` a 1x1 convolution to 4 x growth channels comes
    before each layer.

    A stated width adds a 1x1 convolution of that width at the end of the block (the compression of a transition).
    """

    layers: int = gene(Int(1, 128), Int(1, 4), default=4)
    growth: int = gene(Int(1, 1024), OneOf(4, 8, 12), default=12)
    kernel: int = gene(Int(1, 31), OneOf(3, 5), default=3)
    bottleneck: bool = gene(FLAG, default=False)
    norm: str = gene(NORM, default="batch")
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, default="relu")

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
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
