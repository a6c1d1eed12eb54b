"""A step: one evaluation of one node of a plan."""

from __future__ import annotations

from typing import NamedTuple

from genome.graph import Node
from genome.node_info import NodeInfo
from genome.op import Shape

SOURCE = -1  # the index under which steps read the image


class Step(NamedTuple):
    """One evaluation of one node."""

    node: Node
    turn: int  # the pass of its loop, from 0
    # one entry per declared input, None for an input that this pass of a loop does not read
    sources: tuple[int | None, ...]  # indices of earlier steps, or -1 for the image
    ins: tuple[Shape | None, ...]
    info: NodeInfo

    @property
    def read(self) -> tuple[int, ...]:
        """The sources that this pass reads."""
        return tuple([s for s in self.sources if s is not None])
