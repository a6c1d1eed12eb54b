"""Graph: statements with who makes each value, and how often it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genome.plain.layers import Statement, inputs


@dataclass(frozen=True)
class Graph:
    """Statements in order."""

    made: Sequence[Statement]
    # the place of the statement that makes a value
    makers: Mapping[int, int]
    # how often each value is read, the exits included
    reads: Counter[int]
    # how often each layer is called, by its id
    calls: Counter[int]

    @classmethod
    def of(cls, made: Sequence[Statement], exits: Sequence[int]) -> Graph:
        """Return the graph of statements. exits: the values that the network gives."""
        reads = Counter([*(value for one in made for value in inputs(one)), *exits])
        calls = Counter(id(one.layer) for one in made if one.layer is not None)
        return cls(made, {value: i for i, one in enumerate(made) for value in one.call.outs}, reads, calls)

    def maker(self, value: int) -> Statement:
        """Return the statement that makes a value."""
        return self.made[self.makers[value]]
