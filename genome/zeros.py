"""Removal of zeros from sums, and of the steps that no exit needs after that."""

from __future__ import annotations

from collections.abc import Collection

from genome.node_info import node_info
from genome.op import Op
from genome.ops.add import Add
from genome.step import SOURCE, Step

NOT_ZERO_AT_ZERO = ("sigmoid",)  # activations


def without_zeros(steps: list[Step], looped: Collection[str]) -> list[Step]:
    """The steps with zeros removed from sums, and without the steps that no exit needs after that.

    A sum keeps zeros that determine its shape. Members of loops keep theirs.
    """
    zeros: set[int] = set()
    lean: list[Step] = []
    for i, step in enumerate(steps):
        if step.node.name not in looped:
            step = _summed(step, zeros)
            if _is_zero(step, zeros):
                zeros.add(i)
        lean.append(step)
    return _needed(lean, looped)


def _is_zero(step: Step, zeros: set[int]) -> bool:
    op, cost = step.node.op, step.info.cost
    if op.zeros == "given zeros" and vars(op).get("activation") not in NOT_ZERO_AT_ZERO:
        return cost.weights == cost.norms == 0 and zeros.issuperset(step.read)
    return op.zeros == "always"


def _summed(step: Step, zeros: set[int]) -> Step:
    """The step of a sum without the zeros among its inputs."""
    node, kept = step.node, [k for k, source in enumerate(step.sources) if source not in zeros]
    if not _sums(node.op) or len(kept) in (0, len(node.ins)):
        return step
    ins = tuple([shape for k in kept if (shape := step.ins[k]) is not None])
    info = node_info(node.op, ins, node.width if isinstance(node.width, int) else 0, None)
    if info.out != step.info.out:
        return step
    read = node._replace(ins=tuple([node.ins[k] for k in kept]))
    return Step(read, step.turn, tuple([step.sources[k] for k in kept]), ins, info)


def _sums(op: Op) -> bool:
    return isinstance(op, Add) and not op.in_order()


def _needed(steps: list[Step], looped: Collection[str]) -> list[Step]:
    """The steps that an exit or a loop needs, with their sources renumbered."""
    needed = {i for i, s in enumerate(steps) if s.node.is_exit or s.node.name in looped}
    for i in range(len(steps) - 1, -1, -1):
        if i in needed:
            needed.update(s for s in steps[i].read if s != SOURCE)
    at = {old: new for new, old in enumerate(sorted(needed))}
    at |= {SOURCE: SOURCE}
    kept = (steps[i] for i in sorted(needed))
    return [s._replace(sources=tuple([None if k is None else at[k] for k in s.sources])) for s in kept]
