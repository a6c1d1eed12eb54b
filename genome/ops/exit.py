"""exit: a classifier over feature maps; a genome has one or more (BranchyNet, Teerapittayanon et al., ICPR 2016,
arXiv:1709.01686; global average pooling: Lin et al., Network in Network, ICLR 2014, arXiv:1312.4400)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from genome.common_genes import (
    ACTIVATION_OR_NONE,
    ACTIVATION_OR_NONE_SEARCH,
    EPS,
    EPS_SEARCH,
    NONE,
    NORM_OR_NONE,
    NORM_OR_NONE_SEARCH,
)
from genome.domain import FLAG, Float, Int, OneOf
from genome.graph import Node, Width
from genome.layer_costs import chain, norm_params, row
from genome.motif import Fragment, strided
from genome.op import Cost, Inside, Layer, Op, Shape, Takes, body, gene, op
from genome.ops.conv import Conv

if TYPE_CHECKING:
    from torch import nn


@op
class Exit(Op):
    """Pool each input to a vector, concatenate the vectors, and classify them with a linear layer.

    n x (B, C_i, H_i, W_i) -> (B, classes)

    `pool: average` takes the mean of each channel; `flatten` keeps every pixel. Without `linear` the pooled vector
    is the logits, and its length must be the number of classes. `weight` is the exit's factor in the training loss.
    With `depth` the exit is a branch: that many bodies in a row come before the classifier, the first one with
    `stride`, and a stated width is theirs.
    """

    depth: int = gene(Int(0, 64), OneOf(0, 1), default=0)
    stride: int = gene(Int(1, 8), OneOf(1, 2), when=lambda g: g["depth"] > 0, default=1)
    body: Op = body(factory=Conv, when=lambda g: g["depth"] > 0)
    norm: str = gene(NORM_OR_NONE, NORM_OR_NONE_SEARCH, default=NONE)
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: g["norm"] != NONE, default=1e-5)
    activation: str = gene(ACTIVATION_OR_NONE, ACTIVATION_OR_NONE_SEARCH, default=NONE)
    pool: str = gene(OneOf("average", "flatten"), default="average")
    linear: bool = gene(FLAG, OneOf(True), default=True)
    weight: float = gene(Float(0.0, 100.0), Float(0.1, 1.0), default=1.0)

    many: ClassVar[bool] = True
    aligns: ClassVar[bool] = False
    loops: ClassVar[bool] = False
    width: ClassVar[Takes] = "classes"

    def expands(self) -> bool:
        return self.depth > 0

    def takes_width(self) -> bool:
        """Whether there are bodies, which take the width."""
        return self.depth > 0

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
        """The bodies, then the classifier, which has the exit's own name."""
        nodes: list[Node] = []
        for i in range(1, self.depth + 1):
            nodes += strided(f"{name}/{i}", self.body, ins, width, self.stride if i == 1 else 1)
            ins = (nodes[-1].name,)
        return Fragment((*nodes, Node(name, self.having(depth=0), ins)))

    def in_order(self) -> bool:
        """Whether the order counts, as it does without a linear layer: each input gives the logits of other classes."""
        return not self.linear

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        length = self._features(ins)
        if not self.linear and length != width:
            raise ValueError(
                f"gives {length} logits for {width} classes; set linear: true, or set the width of its inputs"
                f" to {width}"
            )
        return Shape(width, 1, 1)

    def _features(self, ins: Sequence[Shape]) -> int:
        return sum(i.channels if self.pool == "average" else i.size for i in ins)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        length, size, big = self._features(ins), sum(i.size for i in ins), max(i.size for i in ins)
        before = [p for p in (self.norm, self.activation) if p != NONE]
        kept, norms = chain(*before), norm_params(self.norm, sum(i.channels for i in ins))
        # The mean saves nothing; a linear layer saves its vector, which is a view of the last map if flattened.
        vector = self.linear and not (self.pool == "flatten" and len(ins) == 1)
        flat = self.linear and self.pool == "flatten" and len(ins) == 1
        last = size if kept.keeps or (flat and before) else 0
        return Cost(
            weights=(length + 1) * out.channels if self.linear else 0,
            norms=norms,
            macs=length * out.channels if self.linear else 0,
            first_macs=tuple([self._features([i]) * out.channels for i in ins])
            if self.linear and not norms
            else 0,
            saved=kept.saved(size, size) + last + (length if vector else 0),
            scratch=length * min(len(ins), 2) + (big if before else 0) + kept.scratch(big, big),
            reads=kept.reads or (flat and not before),
            layers=int(self.linear),
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        kinds = [kind for kind in ("norm" if self.norm != NONE else NONE, self.activation) if kind != NONE]
        edges = []
        for source in ins:
            vector = Shape(self._features([source]), 1, 1)
            pooled = Layer(
                "copy" if self.pool == "flatten" else "mean", source, vector
            )  # channels_last is copied
            edges.append((*row(kinds, source, source, 0, self.norm), pooled))
        whole = Shape(self._features(ins), 1, 1)
        last = Layer("linear", whole, out, (whole.size + 1) * out.channels)
        return Inside(tuple(edges), after=(last,) if self.linear else ())

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        one_pixel = all(i[1:] == (1, 1) for i in ins)
        return self.described(pool="average") if one_pixel else self.described()

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from torch import nn

        from genome.ops._exit import Head
        from genome.ops._modules import act, chained, norm

        read = [i for i in ins if i is not None]
        edges = []
        for source in read:
            parts: list[tuple[str, nn.Module]] = []
            if self.norm != NONE:
                parts.append(("norm", norm(self.norm, source.channels, self.eps)))
            if self.activation != NONE:
                parts.append(("act", act(self.activation)))
            edges.append(chained(parts))
        linear = nn.Linear(self._features(read), out.channels) if self.linear else None
        return Head(edges, self.pool == "average", linear)
