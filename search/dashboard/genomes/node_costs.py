"""The costs of the nodes of a genome as bars, the most expensive node first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SHOWN = 12  # bars; the page lists the other nodes in a table


class NodeBar(NamedTuple):
    """The bar of one node."""

    name: str
    op: str
    colour: str  # class of the style sheet
    value: int
    share: float  # in the cost of the whole network, from 0 to 1
    length: float  # relative to the longest bar, from 0 to 1


class CostChart(NamedTuple):
    """The bars of one kind of cost."""

    name: str
    bars: Sequence[NodeBar]
    others: int  # nodes that cost something and have no bar
    others_share: float  # of these nodes together


def cost_charts(nodes: Sequence[Mapping[str, Any]]) -> list[CostChart]:
    """Return the charts of the parameters and multiply-adds of nodes, each with name, op, colour, params and macs."""
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
