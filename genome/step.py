"""A step: one evaluation of one node of a plan."""

from __future__ import annotations

from typing import NamedTuple

from genome.graph import Node
from genome.node_info import NodeInfo
from genome.op import Shape

SOURCE = -1  # the index under which steps read the image


class Step(NamedTuple):
    """One evaluation of one node. `sources` and `ins` have one entry per declared input, None where a pass of
    a loop does not read it; a source is the index of an earlier step, or -1 for the image."""

    node: Node
    turn: int
    sources: tuple[int | None, ...]
    ins: tuple[Shape | None, ...]
    info: NodeInfo
