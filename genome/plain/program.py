"""A program: the statements of a network with the names of its layers, whole or up to a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from genome.plain.body import Names
from genome.plain.calls import IMAGE
from genome.plain.layers import Statement, inputs


class Program(NamedTuple):
    """Statements, and what they give."""

    made: Sequence[Statement]
    # the values that it gives
    exits: Sequence[int]
    # of each statement, the node
    nodes: Sequence[str]
    names: Names

    def first(self, count: int) -> Program:
        """Return the first statements, which give the values that later ones read, or that are exits."""
        needed = {*self.exits, *(value for one in self.made[count:] for value in inputs(one))} - {IMAGE}
        given = [value for one in self.made[:count] for value in one.call.outs if value in needed]
        return self._replace(made=self.made[:count], exits=given, nodes=self.nodes[:count])

    def told(self, at: int) -> str:
        """Return the node of a statement, with the class of its layer or the name of its function."""
        one = self.made[at]
        what = one.layer.kind if one.layer else one.call.function.__name__.strip("_")
        return f"`{self.nodes[at]}` ({what})"
