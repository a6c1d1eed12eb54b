"""The conformance suite: checks by name, and the cases to run them on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from genome.op import Op
from genome.testing.variants import label, variants

# what a check runs on: the node type once, each variant of its genes, each variant over one and over three inputs
Scope: TypeAlias = Literal["type", "genes", "inputs"]


class Traits(NamedTuple):
    """Facts about a node type that its class does not state."""

    also: tuple[Mapping[str, Any], ...] = ()
    """Combinations of genes to check, beside one changed gene at a time."""
    derivative: Mapping[str, Any] = {}
    """Genes under which the gradient is the derivative, if a published rule replaces it otherwise."""
    kinks: tuple[str, ...] = ()
    """Parts of the names of parameters that start at a point without derivative; they are moved before gradients."""


NO_TRAITS = Traits()


class Case(NamedTuple):
    """One check of one node type."""

    check: str  # a key of CHECKS
    op: Op
    inputs: int = 1  # how many maps the node reads
    traits: Traits = NO_TRAITS

    def run(self) -> None:
        """Run the check. Raises AssertionError."""
        CHECKS[self.check].run(self)

    def __str__(self) -> str:
        return f"{self.check}: {label(self.op)}" + (f" ({self.inputs} inputs)" if self.inputs > 1 else "")


class Check(NamedTuple):
    """One named check."""

    run: Callable[[Case], None]
    scope: Scope
    plain: bool = False  # whether it is about a module of the node type itself, so that motifs have none


CHECKS: dict[str, Check] = {}
"""The checks by name, in the order in which they run."""


def check(scope: Scope, plain: bool = False) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    def entered(run: Callable[[Case], None]) -> Callable[[Case], None]:
        CHECKS[run.__name__] = Check(run, scope, plain)
        return run

    return entered


def cases(
    node_type: str | type[Op],
    traits: Traits = NO_TRAITS,
    checks: Collection[str] | None = None,
) -> list[Case]:
    """Every case of a node type or motif, by its word or its class; of all checks, or of those named.

    Raises:
        KeyError: a word that is not registered; a check that there is none of.
    """
    word = node_type if isinstance(node_type, str) else node_type.word
    found = list(dict.fromkeys(variants(word, traits.also)))
    names = list(CHECKS) if checks is None else list(checks)
    return [case for name in names for case in _cases(name, found, traits)]


def _cases(name: str, found: Sequence[Op], traits: Traits) -> Iterator[Case]:
    check = CHECKS[name]
    for op in found[:1] if check.scope == "type" else found:
        if check.plain and op.expands():
            continue
        for inputs in (1, 3) if check.scope == "inputs" else (1,):
            if not check.plain or inputs == 1 or op.many:
                yield Case(name, op, inputs, traits)


def check_node_type(
    node_type: str | type[Op],
    traits: Traits = NO_TRAITS,
    checks: Collection[str] | None = None,
) -> None:
    """Run every case of a node type or motif.

    Raises:
        AssertionError: the cases that failed, one a line.
        KeyError: as `cases` does.
    """
    failed = []
    for case in cases(node_type, traits, checks):
        try:
            case.run()
        except Exception as error:  # a module that raises does not conform either
            failed.append(f"{case}: {str(error) or type(error).__name__}")
    if failed:
        raise AssertionError("\n".join(failed))


def require(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
