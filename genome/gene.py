"""Genes: the fields of a node type, each with its default, its legal values and what a search tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.domain import Domain, Either, Legal, PerAxis

if TYPE_CHECKING:
    from genome.op import Op


class Gene(NamedTuple):
    """One field of a node type."""

    name: str
    default: Any
    legal: Legal | None  # the values that it may have; None for a body, which is itself a node type
    search: Domain | None  # the part of `legal` that a search tries; None for a body
    when: (
        Callable[[Mapping[str, Any]], bool] | None
    )  # whether it has an effect, given the genes above it; None: always
    # whether genomes were stored before it existed; such a gene never changes its default
    later: bool = False

    def active(self, genes: Mapping[str, Any]) -> bool:
        """Whether this gene has an effect, given the values of the genes above it."""
        return self.when is None or self.when(genes)

    def written(self, genes: Mapping[str, Any]) -> bool:
        """Whether text and digest name it: it has an effect, and is no later gene at its default.

        So the texts and digests of genomes that were stored before it existed stay as they are.
        """
        if self.later and genes[self.name] == self.default:
            return False
        return self.when is None or self.when(genes)


def gene(
    legal: Legal,
    search: Domain | None = None,
    *,
    default: Any,
    when: Callable[[Mapping[str, Any]], bool] | None = None,
    later: bool = False,
) -> Any:
    """A gene of a node type.

    `search` is the part of `legal` that `any` stands for in a space; it is all of `legal` by default. `when` gets
    the values of the genes above this one and returns whether it has an effect. A gene that is added to a published
    node type is `later`: text and digest leave it out at its default.
    """
    assert default in legal, f"default {default!r} is not in {legal}"
    if search is None:
        assert not isinstance(legal, Either | PerAxis), (
            "a gene of mixed values must state what a search tries"
        )
        search = legal
    return field(default=default, metadata={"legal": legal, "search": search, "when": when, "later": later})


def body(*, factory: Callable[[], Op], when: Callable[[Mapping[str, Any]], bool] | None = None) -> Any:
    """A gene that is itself a node type with genes."""
    return field(default_factory=factory, metadata={"legal": None, "search": None, "when": when})


def described(word: str, genes: Sequence[Gene], values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The word and the values of the genes in order, then (name, value) of each later gene not at its default."""
    plain = {g.name: v.described() if g.legal is None else v for g in genes for v in [values[g.name]]}
    later = [(g.name, plain[g.name]) for g in genes if g.later and values[g.name] != g.default]
    return (word, *(plain[g.name] for g in genes if not g.later), *later)
