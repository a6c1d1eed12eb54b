"""totals: the output and the cost of each written node; that of a motif is the sum over its nodes."""

from __future__ import annotations

from typing import NamedTuple

from genome.graph import Genome
from genome.mistakes import written_name
from genome.op import Shape
from genome.plan import Plan, loop_weights
from genome.step import Step


class Total(NamedTuple):
    """The output and the cost of one written node."""

    out: Shape | None = None  # None if no exit needs the node
    params: int = 0
    macs: int = 0


def totals(genome: Genome, plan: Plan) -> dict[str, Total]:
    """The total of every node of `genome`, whose plan is `plan`. The totals add up to those of the plan.

    The weights of a loop's member count once, its norms and multiply-adds once per pass.
    """
    steps: dict[str, list[Step]] = {node.name: [] for node in genome.nodes}
    outs: dict[str, Shape | None] = dict.fromkeys(steps)
    for step in plan.steps:
        steps[written_name(step.node.name, genome.by_name)].append(step)
    for node in plan.genome.nodes:  # the last node of a motif is its output
        at = plan.last.get(node.name)
        outs[written_name(node.name, genome.by_name)] = None if at is None else plan.steps[at].info.out
    return {name: Total(outs[name], _params(own), _macs(own)) for name, own in steps.items()}


def _params(steps: list[Step]) -> int:
    again = {step.node.name for step in steps if step.turn}
    once = sum(step.info.cost.weights for step in steps if step.node.name not in again)
    looped = loop_weights([step for step in steps if step.node.name in again])
    return once + looped + sum(step.info.cost.norms for step in steps)


def _macs(steps: list[Step]) -> int:
    return sum(step.info.cost.macs for step in steps)
