"""totals: what each written node gives and costs; a motif is the sum of what it stands for."""

from __future__ import annotations

from typing import NamedTuple

from genome.graph import Genome
from genome.op import Shape
from genome.plan import Plan, loop_weights
from genome.step import Step
from genome.text import written_name


class Total(NamedTuple):
    """One written node: its output (None where no exit needs the node), learned numbers, multiply-adds."""

    out: Shape | None = None
    params: int = 0
    macs: int = 0


def totals(genome: Genome, plan: Plan) -> dict[str, Total]:
    """The totals of every node of `genome`, of which `plan` is the plan; they add up to the plan's own.

    Weights of a loop's member count once, its norms and multiply-adds once a pass.
    """
    steps: dict[str, list[Step]] = {node.name: [] for node in genome.nodes}
    outs: dict[str, Shape | None] = dict.fromkeys(steps)
    for step in plan.steps:
        steps[written_name(step.node.name, genome.by_name)].append(step)
    for node in plan.genome.nodes:  # the last node that a motif wrote is its output
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
