"""Where a genome leaves a space, in words."""

from __future__ import annotations

from typing import Any

from genome.graph import Genome, Loop, Times
from genome.op import Op, Shape
from genome.text import flow, written_loop
from genome.widths import Widths


def departure(made: Genome, genome: Genome) -> str | None:
    """The first place where `genome` is not `made`, the nearest genome that a space holds; names do not count."""
    if made == genome.renamed(made.name):
        return None
    diff = made.diff(genome)
    if diff.added:
        return f"{diff.added[0]} is no node of this space"
    for name, parts in diff.changed.items():
        part, (ours, theirs) = next(iter(parts.items()))
        return _differing(f"{name}.{part}", ours, theirs)
    for part in ("input", "classes", "widths", "loops"):
        ours, theirs = getattr(made, part), getattr(genome, part)
        if ours != theirs:
            return _differing(part, ours, theirs)
    return f"the nodes stand in another order than in this space: {', '.join(made.by_name)}"


def _differing(at: str, ours: Any, theirs: Any) -> str:
    """The first thing in which two values differ, with its address."""
    if isinstance(ours, Op) and isinstance(theirs, Op):
        if ours.word != theirs.word:
            return _differing(f"{at}.op", ours.word, theirs.word)
        for g in ours.genes:
            mine, other = vars(ours)[g.name], vars(theirs)[g.name]
            if mine != other:
                return _differing(f"{at}.{ours.word}.{g.name}", mine, other)
    return f"{at} is {told(theirs)}; in this space it is {told(ours)}"


def told(value: Any) -> str:
    """A part of a genome as its text has it; what is not there is missing."""
    match value:
        case None | ():
            return "missing"
        case Shape() | Times():
            return str(value)
        case Widths():
            return flow({"rule": value.rule, "base": value.base, "alpha": value.alpha})
        case (Loop(), *_):
            return flow({loop.name: written_loop(loop) for loop in value})
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return flow(value)
