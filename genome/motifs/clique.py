"""clique: nodes that all read each other, gone through again with the same kernels (CliqueNet, Yang et al.,
CVPR 2018, arXiv:1802.10419)."""

from __future__ import annotations

from typing import Any

from genome.domain import FLAG, Either, Int, OneOf
from genome.graph import Loop, Node
from genome.motif import Fragment, Motif
from genome.op import Op, body, gene, op
from genome.ops.concat import Concat
from genome.ops.conv import Conv

ALL = "all"


def _body() -> Op:
    return Conv(order="norm-act-conv")


@op
class Clique(Motif):
    """Let every node read the input and the nodes before it, then, pass by pass, all other nodes.

    The first pass is the paper's stage I, the second its stage II: each node reads the newest value of all the
    others with the same kernels and norms of its own, and no longer the input. The output is the concatenation
    of the nodes, which is what the next block reads; the concatenation of it and the input is the feature for
    the exit. `passes: 0` ends with stage I; `update` is how many nodes, the first ones, later passes evaluate.

    With `bottleneck` each node is a 1x1 convolution over all it reads and the body behind it. So it is too
    with a body that takes one input, or has no width of its own. In the loop a body keeps the image's size:
    its strides are 1.
    """

    nodes: int = gene(Int(1, 32), Int(2, 4), default=4)
    passes: int = gene(Int(0, 8), Int(0, 2), default=1)
    update: int | str = gene(
        Either(OneOf(ALL), Int(1, 32)), OneOf(ALL), when=lambda g: g["passes"] > 0, default=ALL
    )
    bottleneck: bool = gene(FLAG, default=False)
    body: Op = body(factory=_body)

    def looped(self, **genes: Any) -> Op:
        return super().looped(passes=0, **genes)

    def expand(self, name: str, ins: tuple[str, ...], width: int | None) -> Fragment:
        names = [f"{name}/{i}" for i in range(1, self.nodes + 1)]
        nodes: list[Node] = []
        order: list[str] = []
        for i, member in enumerate(names):
            others = names[:i] if self.passes == 0 else [other for other in names if other != member]
            made = self._node(member, (*ins, *others), width)
            nodes += made
            order += [node.name for node in made]
        out = Node(f"{name}/out", Concat(), tuple(names))
        again = self.nodes if self.update == ALL else min(int(self.update), self.nodes)
        update = None if again == self.nodes else again * len(order) // self.nodes
        # a single node reads nothing but the input: there is nothing to go through again
        is_loop = self.passes > 0 and self.nodes > 1
        return Fragment((*nodes, out), (Loop(name, tuple(order), self.passes, update),) if is_loop else ())

    def _node(self, name: str, ins: tuple[str, ...], width: int | None) -> tuple[Node, ...]:
        own = self.body.looped()
        reads_all = own.many and not own.expands() and own.width == "schedule"
        if reads_all and not self.bottleneck:
            return (Node(name, own, ins, width),)
        takes = width if own.takes_width() else None
        return Node(f"{name}/in", self._narrow(), ins, width), Node(name, own, (f"{name}/in",), takes)

    def _narrow(self) -> Op:
        """The 1x1 convolution, alike to the body in what both have."""
        if isinstance(self.body, Conv):
            return self.body.having(kernel=1, stride=1, dilation=1, groups=1, padding="same")
        return Conv(kernel=1, order="norm-act-conv")
