"""Genes: the fields of a node type, each with its default, its legal values and what a search tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.domain import Domain, Either, Legal

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

    def active(self, genes: Mapping[str, Any]) -> bool:
        """Whether this gene has an effect, given the values of the genes above it."""
        return self.when is None or self.when(genes)


def gene(
    legal: Legal,
    search: Domain | None = None,
    *,
    default: Any,
    when: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Any:
    """A gene of a node type.

    `search` is the part of `legal` that `any` stands for in a space; it is all of `legal` by default. `when` gets
    the values of the genes above this one and returns whether it has an effect.
    """
    assert default in legal, f"default {default!r} is not in {legal}"
    if search is None:
        assert not isinstance(legal, Either), "a gene of words and numbers must state what a search tries"
        search = legal
    return field(default=default, metadata={"legal": legal, "search": search, "when": when})


def body(*, factory: Callable[[], Op], when: Callable[[Mapping[str, Any]], bool] | None = None) -> Any:
    """A gene that is itself a node type with genes."""
    return field(default_factory=factory, metadata={"legal": None, "search": None, "when": when})
