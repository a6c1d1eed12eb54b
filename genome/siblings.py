"""siblings: convolutions that read the same value in the same way, such as the columns of a fractal that start
together. They run as one convolution with all their output channels."""

from __future__ import annotations

from collections.abc import Sequence

from genome.ops.conv import Conv
from genome.step import Step

# Their weights are put behind each other in every forward: on smaller images that costs more than it saves.
FEWEST_PIXELS = 64
ORDERS = frozenset({"conv-norm-act", "conv-norm", "conv-act", "conv"})
NORMS = frozenset({"batch", "plain"})


def siblings(steps: Sequence[Step]) -> dict[int, tuple[int, ...]]:
    """For each step that has siblings, by index, all of them in order, itself too."""
    families: dict[object, list[int]] = {}
    for i, step in enumerate(steps):
        if len(step.sources) == 1 and isinstance(step.node.op, Conv) and _fits(step.node.op, step):
            families.setdefault((step.sources, step.node.op), []).append(i)
    looped = {step.node.name for step in steps if step.turn}
    found = [[i for i in family if steps[i].node.name not in looped] for family in families.values()]
    return {i: tuple(family) for family in found if len(family) > 1 for i in family}


def _fits(op: Conv, step: Step) -> bool:
    """Whether stacking the kernel's outputs leaves all that comes behind it exact, and pays."""
    out = step.info.out
    even = op.padding == "same" and op.dilation * (op.kernel - 1) % 2  # padded by a part of its own
    normed = "norm" not in op.order or op.norm in NORMS
    return (
        op.order in ORDERS
        and normed
        and op.groups == 1
        and not even
        and out.height * out.width >= FEWEST_PIXELS
    )
