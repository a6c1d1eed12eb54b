"""clique: a loop of nodes that all read each other, evaluated again with the same kernels (CliqueNet, Yang et al.,
CVPR 2018, arXiv:1802.10419)."""

from __future__ import annotations

from typing import Any

from genome.domain import FLAG, Either, Int, OneOf
from genome.graph import Loop, Node, Width
from genome.motif import Fragment, Motif
from genome.op import Op, body, gene, op
from genome.ops.concat import Concat
from genome.ops.conv import Conv

ALL = "all"


def _body() -> Op:
    return Conv(order="norm-act-conv")


@op
class Clique(Motif):
    """Let every node read the input and the nodes before it, then, in each later pass, all other nodes.

    The first pass is stage I of the paper, and the second is stage II: each node reads the newest value of all other
    nodes, but not the input. Passes share their kernels and have norms of their own. The output is the concatenation
    of the nodes, which the next block reads; the paper's classifier reads the concatenation of output and input.
    `passes: 0` ends after stage I. `update` is the number of nodes, counted from the first, that later passes
    evaluate.

    With `bottleneck` each node is a 1x1 convolution over all its inputs followed by the body. A body that takes one
    input, or has no width of its own, gets such a convolution in any case. In the loop a body keeps the image's
    size: its strides are 1.
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

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
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
        # a single node reads only the input, so a second pass would have nothing to read
        is_loop = self.passes > 0 and self.nodes > 1
        return Fragment((*nodes, out), (Loop(name, tuple(order), self.passes, update),) if is_loop else ())

    def _node(self, name: str, ins: tuple[str, ...], width: Width) -> tuple[Node, ...]:
        own = self.body.looped()
        reads_all = own.many and not own.expands() and own.width == "schedule"
        if reads_all and not self.bottleneck:
            return (Node(name, own, ins, width),)
        takes = width if own.takes_width() else None
        return Node(f"{name}/in", self._narrow(), ins, width), Node(name, own, (f"{name}/in",), takes)

    def _narrow(self) -> Op:
        """The 1x1 convolution, with the genes of the body if that is a conv."""
        if isinstance(self.body, Conv):
            return self.body.having(kernel=1, stride=1, dilation=1, groups=1, padding="same")
        return Conv(kernel=1, order="norm-act-conv")
