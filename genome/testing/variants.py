"""Variants of a node type, with each gene at each end of what a search tries, and small networks around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from genome.domain import Either, Legal, OneOf, PerAxis
from genome.graph import Genome, Node
from genome.op import Gene, Op, Shape, lookup, words

INPUT = Shape(3, 11, 9)  # odd sizes: rounding errors show


def ends(domain: Legal) -> tuple[Any, ...]:
    """Every word of a domain, or its lowest and its highest number; for axes also a pair of these."""
    if isinstance(domain, Either):
        return (*domain.words.choices, *ends(domain.numbers))
    if isinstance(domain, PerAxis):
        low, high = ends(domain.each)
        return (low, high, (low, high))
    return domain.choices if isinstance(domain, OneOf) else (domain.low, domain.high)


def variants(word: str, also: Iterable[Mapping[str, Any]] = ()) -> Iterator[Op]:
    """The node type by default, then with each gene at each end of what a search tries, then with the genes of `also`.

    Where a gene has an effect only beside another value of another gene, that other gene is changed too.
    """
    plain = lookup(word)()
    yield plain
    for gene in plain.genes:
        base = _with_effect(plain, gene)
        for value in _tried(gene):
            yield base.having(**{gene.name: value})
    for genes in also:
        yield plain.having(**genes)


def _tried(gene: Gene) -> tuple[Any, ...]:
    """The values of a gene at the ends of its search domain; for a body every plain node type."""
    if gene.search is None:
        kinds = [lookup(word) for word in words()]
        return tuple(kind() for kind in kinds if not kind.motif and kind.width != "classes")
    # an even kernel is often legal, though no search tries it: it is padded unevenly
    even = (2,) if gene.name == "kernel" and gene.legal is not None and 2 in gene.legal else ()
    return (*ends(gene.search), *even)


def _with_effect(plain: Op, gene: Gene) -> Op:
    """The node type with one other gene changed, if `gene` has an effect only then."""
    if gene.active(vars(plain)):
        return plain
    changed = (plain.having(**{g.name: v}) for g in plain.genes if g is not gene for v in _others(plain, g))
    return next(op for op in changed if gene.active(vars(op)))


def _others(plain: Op, gene: Gene) -> Iterator[Any]:
    """Values of another gene; for a body, the same body with one gene changed."""
    if gene.legal is not None and gene.search is not None:
        yield from (*ends(gene.search), *ends(gene.legal))
        return
    inner: Op = vars(plain)[gene.name]
    for g in inner.genes:
        yield from (inner.having(**{g.name: v}) for v in (ends(g.search) if g.search is not None else ()))


def label(op: Op) -> str:
    """A short name for a test: the word, and the genes that are not at their default."""
    own = vars(op)
    changed = (
        f"{g.name}={getattr(own[g.name], 'word', own[g.name])}" for g in op.genes if own[g.name] != g.default
    )
    return " ".join([op.word, *changed])


def around(op: Op, inputs: int) -> Genome:
    """A small network whose node `x` is `op` over one to three maps of unequal size and width, none the raw image."""
    conv, leave = cast(Any, lookup("conv")), lookup("exit")
    sources = (
        Node("a", conv(kernel=1), ("image",), 6),
        Node("b", conv(stride=2, order="conv-norm"), ("image",), 4),
        Node("c", conv(stride=3), ("a",), 8),
    )[:inputs]
    x = Node("x", op, tuple(s.name for s in sources), 6 if op.takes_width() else None)
    if op.width == "classes":
        return Genome("one", INPUT, 6 if inputs == 1 else 18, (*sources, x))
    return Genome("one", INPUT, 5, (*sources, x, Node("out", leave(), ("x",))))
