"""The numbers of a plan's weights: as matrices, and as they are stored."""

from __future__ import annotations

from genome.plan import Plan, loop_weights


def matrices(plan: Plan) -> list[tuple[int, int]]:
    """The sides of every kernel and matrix, (output channels, the rest of its numbers), as far as the plan tells."""
    found: list[tuple[int, int]] = []
    for step in plan.steps:
        if step.turn:
            continue
        inside = step.node.op.inside(step.info.seen, step.info.out)
        if inside is None:
            sized = [(step.info.out.channels, step.info.cost.weights)]
        else:
            learned = [one for one in inside.layers if one.kind not in ("norm", "copy")]
            sized = [(one.after.channels, one.weights) for one in learned]
        found += [(rows, numbers // rows) for rows, numbers in sized if numbers >= rows]
    return found


def stored(plan: Plan) -> int:
    """The numbers of the module's state: parameters, fixed numbers and the statistics of norms.

    The passes of a loop have names of their own, under which the state holds the weights that they share.
    """
    again = [step for step in plan.steps if step.turn]
    names = {step.node.name for step in again}
    turns = max((step.turn for step in again), default=0)
    shared = loop_weights([step for step in plan.steps if step.node.name in names])
    statistics = sum(step.info.cost.norms for step in plan.steps)
    return plan.params + turns * shared + plan.fixed + statistics
