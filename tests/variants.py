"""Node types with each gene at each end of what a search tries, for tests that go over the whole register."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import genome
from genome.domain import Either, Legal, OneOf
from genome.graph import Genome, Node
from genome.op import Gene, Op, Shape

PLAIN = [w for w in genome.words() if not genome.lookup(w).motif]
IMAGE_SHAPE = Shape(3, 11, 9)
MOTIFS = [w for w in genome.words() if genome.lookup(w).motif]
BODIES = [w for w in PLAIN if genome.lookup(w).width != "classes"]

# genes that only together reach another way of execution
TOGETHER: dict[str, list[dict[str, Any]]] = {
    "perturb": [
        {"order": "act-mix", "masks": 8},  # streamed
        {"order": "mix-norm-act", "masks": 4, "mix": "grouped", "shared": True},
        {"order": "act-mix-norm-act", "masks": 4, "activation": "silu"},
    ],
    "deform": [{"modulation": "unit", "groups": 2, "stride": 2}],
    "clique": [{"nodes": 4, "passes": 2, "update": 2, "bottleneck": True}],
}


def ends(domain: Legal) -> tuple[Any, ...]:
    """Every word, or the lowest and the highest number."""
    if isinstance(domain, Either):
        return (*domain.words.choices, *ends(domain.numbers))
    return domain.choices if isinstance(domain, OneOf) else (domain.low, domain.high)


def tried(gene: Gene) -> tuple[Any, ...]:
    """The values of a gene at the ends of its search domain; for a body every plain node type."""
    if gene.search is None:
        return tuple(genome.lookup(w)() for w in BODIES)
    # often legal, though no search tries it: padded unevenly
    even = (2,) if gene.name == "kernel" and gene.legal is not None and 2 in gene.legal else ()
    return (*ends(gene.search), *even)


def variants(word: str) -> Iterator[Op]:
    """A node type by default, then with each gene at each end, in a form in which the gene has an effect."""
    plain = genome.lookup(word)()
    yield plain
    for gene in plain.genes:
        base = _awake(plain, gene)
        for value in tried(gene):
            yield base.having(**{gene.name: value})
    for genes in TOGETHER.get(word, ()):
        yield plain.having(**genes)


def _awake(plain: Op, gene: Gene) -> Op:
    """The node type with one other gene changed, where that is what gives `gene` an effect."""
    if gene.active(vars(plain)):
        return plain
    changed = (plain.having(**{g.name: v}) for g in plain.genes if g is not gene for v in _others(plain, g))
    return next(op for op in changed if gene.active(vars(op)))


def _others(plain: Op, gene: Gene) -> Iterator[Any]:
    """Values of another gene; of a body, the same with one gene changed."""
    if gene.legal is not None and gene.search is not None:
        yield from (*ends(gene.search), *ends(gene.legal))
        return
    inner: Op = vars(plain)[gene.name]
    for g in inner.genes:
        yield from (inner.having(**{g.name: v}) for v in (ends(g.search) if g.search is not None else ()))


def label(op: Op) -> str:
    """A short name for a test's id: the word, and the genes that are not at their defaults."""
    own = vars(op)
    changed = (
        f"{g.name}={getattr(own[g.name], 'word', own[g.name])}" for g in op.genes if own[g.name] != g.default
    )
    return " ".join([op.word, *changed])


def around(op: Op, inputs: int) -> Genome:
    """A small network whose node `x` is `op` over one or three maps of unequal size and width, none of them
    the raw image."""
    conv, leave = genome.lookup("conv"), genome.lookup("exit")
    sources = (
        Node("a", conv(kernel=1), ("image",), 6),
        Node("b", conv(stride=2, order="conv-norm"), ("image",), 4),
        Node("c", conv(stride=3), ("a",), 8),
    )[:inputs]
    takes = op.takes_width()
    x = Node("x", op, tuple(s.name for s in sources), 6 if takes else None)
    if op.width == "classes":
        return Genome("one", IMAGE_SHAPE, 6 if inputs == 1 else 18, (*sources, x))
    return Genome("one", IMAGE_SHAPE, 5, (*sources, x, Node("out", leave(), ("x",))))
