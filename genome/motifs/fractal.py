"""fractal: columns of 1, 2, 4, .. bodies that meet in means (FractalNet, Larsson et al., ICLR 2017,
arXiv:1605.07648), with its drop-path."""

from __future__ import annotations

from typing import Any

from genome.common_genes import NONE, RATE, RATE_SEARCH
from genome.domain import Float, Int, OneOf
from genome.graph import Node, Width
from genome.motif import Fragment, Motif, joined
from genome.op import Op, body, gene, op
from genome.ops.conv import Conv
from genome.ops.mean import Mean
from genome.ops.pool import Pool

BEFORE, AFTER = "before", "after"


@op
class Fractal(Motif):
    """Run columns of 1, 2, 4, .. bodies in parallel, and join all columns that have a body ending at the same depth.

    Joins that the paper nests at the same depth are one mean with equal weights, as in the authors' code. The node
    `name/c3.2` is the second body of the third column, and `name/j2` is the join after two bodies of the deepest.

    `drop_path` is the probability with which a join drops an input (local drop-path), and `whole` the probability
    with which a mini-batch keeps a single column in the whole network (global drop-path). `pool` halves the image by
    a max pool of each column before the last join (the authors' code), or after it (the paper's text). Only the first
    body of each column has the body's stride.
    """

    columns: int = gene(Int(1, 6), Int(1, 3), default=3)
    drop_path: float = gene(RATE, RATE_SEARCH, when=lambda g: g["columns"] > 1, default=0.15)
    whole: float = gene(Float(0.0, 1.0), OneOf(0.0, 0.5), when=lambda g: g["columns"] > 1, default=0.5)
    pool: str = gene(OneOf(NONE, BEFORE, AFTER), default=NONE)
    body: Op = body(factory=Conv)

    def looped(self, **genes: Any) -> Op:
        return super().looped(pool=NONE, **genes)

    def expand(self, name: str, ins: tuple[str, ...], width: Width) -> Fragment:
        before, (x,) = joined(f"{name}/in", ins)
        nodes: list[Node] = [*before]
        heads = [x] * self.columns
        steps = 1 << (self.columns - 1)
        for step in range(1, steps + 1):
            for column in range(self.columns):
                self._begin(nodes, heads, name, width, column, step)
            ending = [c for c in range(self.columns) if step % self._length(c) == 0]
            if step == steps and self.pool == BEFORE:
                self._pooled(nodes, heads, name)
            if len(ending) > 1:
                nodes.append(Node(f"{name}/j{step}", self._join(), tuple([heads[c] for c in ending])))
                for column in ending:
                    heads[column] = nodes[-1].name
        if self.pool == AFTER:
            nodes.append(Node(f"{name}/down", Pool(), (heads[-1],)))
        return Fragment(tuple(nodes))

    def _length(self, column: int) -> int:
        """The number of bodies of the deepest column that run beside one body of this column."""
        return 1 << (self.columns - 1 - column)

    def _begin(
        self, nodes: list[Node], heads: list[str], name: str, width: Width, column: int, step: int
    ) -> None:
        """Add the body that a column begins at this step, if it begins one."""
        before, inside = divmod(step - 1, self._length(column))
        if inside:
            return
        own = self.body.having(stride=1) if before and hasattr(self.body, "stride") else self.body
        takes = width if own.takes_width() else None
        nodes.append(Node(f"{name}/c{column + 1}.{before + 1}", own, (heads[column],), takes))
        heads[column] = nodes[-1].name

    def _pooled(self, nodes: list[Node], heads: list[str], name: str) -> None:
        for column in range(self.columns):
            nodes.append(Node(f"{name}/p{column + 1}", Pool(), (heads[column],)))
            heads[column] = nodes[-1].name

    def _join(self) -> Op:
        return Mean(drop_path=self.drop_path, columns=self.columns, whole=self.whole)
