"""Holes: the values of a space that are asked for, and the node types that have some among their genes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from genome.domain import Domain, Int
from genome.op import Gene, Op

# ask(name of the hole, what it may be, what the given genome has there or None) -> the answer
Ask = Callable[[str, Domain, Any], Any]


class SpaceError(ValueError):
    """A genome that is not in a space; the sentence says where."""


@dataclass(frozen=True)
class Hole:
    """A value that is asked for."""

    name: str
    domain: Domain
    # whole numbers are taken as real ones (a Float gene)
    real: bool = False

    def fill(self, ask: Ask, known: Any, everything: bool = False) -> Any:
        """Ask, and give the value as the genome holds it."""
        if isinstance(known, float) and isinstance(self.domain, Int) and known.is_integer():
            known = int(known)
        value = ask(self.name, self.domain, known)
        return float(value) if self.real else value


@dataclass(frozen=True)
class Template:
    """One node type with holes among its genes."""

    kind: type[Op]
    # each a Hole, a Body, or a value
    genes: tuple[tuple[Gene, Any], ...]

    @cached_property
    def open(self) -> tuple[tuple[Gene, Hole | Body], ...]:
        """The genes that are asked for."""
        return tuple((g, spec) for g, spec in self.genes if isinstance(spec, Hole | Body))

    @cached_property
    def start(self) -> dict[str, Any]:
        """All genes in order, those that are asked for at their default."""
        asked = {g.name for g, _ in self.open}
        return {g.name: g.default if g.name in asked else spec for g, spec in self.genes}

    @cached_property
    def fixed(self) -> Op | None:
        """The node type itself where nothing is asked."""
        return None if self.open else self.kind(**self.start)

    def fill(self, ask: Ask, known: Op | None, everything: bool) -> Op:
        """The node type with every hole answered; genes without effect are asked only if `everything` is."""
        if self.fixed is not None:
            return self.fixed
        found = vars(known) if known is not None and known.word == self.kind.word else _NOTHING
        values = dict(self.start)
        for g, spec in self.open:
            active = g.when is None or g.when(values)
            if active or everything:
                value = spec.fill(ask, found.get(g.name), everything)
                if active:
                    values[g.name] = value
        return _made(self.kind, tuple(values.values()))


@dataclass(frozen=True)
class Body:
    """A node type to be chosen."""

    # hole of the word; not asked where there is one choice
    op: Hole
    choices: Mapping[str, Template]

    def fill(self, ask: Ask, known: Op | None, everything: bool) -> Op:
        if len(self.choices) == 1:
            (only,) = self.choices.values()
            if known is not None and known.word != only.kind.word:
                raise SpaceError(f"{self.op.name} is {known.word}; in this space it is {only.kind.word}")
            return only.fill(ask, known, everything)
        word = self.op.fill(ask, known.word if known is not None else None)
        if not everything:
            return self.choices[word].fill(ask, known, False)
        return {w: t.fill(ask, known, True) for w, t in self.choices.items()}[word]


_NOTHING: dict[str, Any] = {}
_INTERNED: dict[tuple[type[Op], tuple[Any, ...]], Op] = {}
_MOST_INTERNED = 1 << 16


def _made(kind: type[Op], values: tuple[Any, ...]) -> Op:
    """One object per node type and genes, checked once; `1` and `True` can't meet, a gene has one type."""
    found = _INTERNED.get((kind, values))
    if found is None:
        if len(_INTERNED) >= _MOST_INTERNED:
            _INTERNED.clear()
        found = kind(**dict(zip([g.name for g in kind.genes], values, strict=True)))
        _INTERNED[kind, values] = found
    return found
