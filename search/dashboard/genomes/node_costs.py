"""What each node costs, as shares of the whole: the longest bar first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SHOWN = 12  # bars; the other nodes stand in the table


class NodeBar(NamedTuple):
    """One node's part of a cost. `share` is from 0 to 1, `length` relative to the longest."""

    name: str
    op: str
    colour: str
    value: int
    share: float
    length: float


class CostChart(NamedTuple):
    """One kind of cost: its bars, and how many nodes that cost something have none, with their share together."""

    name: str
    bars: Sequence[NodeBar]
    others: int
    others_share: float


def cost_charts(nodes: Sequence[Mapping[str, Any]]) -> list[CostChart]:
    """Return the costs of nodes that have a name, an op, a colour, params and macs."""
    return [_cost(name, nodes) for name in ("params", "macs")]


def _cost(name: str, nodes: Sequence[Mapping[str, Any]]) -> CostChart:
    costly = sorted((node for node in nodes if node[name]), key=lambda node: -node[name])
    whole = sum(node[name] for node in costly)
    bars = [
        NodeBar(n["name"], n["op"], n["colour"], n[name], n[name] / whole, n[name] / costly[0][name])
        for n in costly[:SHOWN]
    ]
    rest = sum(node[name] for node in costly[SHOWN:])
    return CostChart(name, bars, len(costly) - len(bars), rest / whole if whole else 0.0)
