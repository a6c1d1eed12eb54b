"""siblings: equal convolutions of the same value, such as those at the start of a fractal's columns.

They may run as one convolution with all their output channels (horizontal fusion).
"""

from __future__ import annotations

from collections.abc import Sequence

from genome.axes import extents
from genome.ops.conv import Conv
from genome.step import Step

# The weights are concatenated in every forward, which costs more than it saves for smaller images.
FEWEST_PIXELS = 64
ORDERS = frozenset({"conv-norm-act", "conv-norm", "conv-act", "conv"})
NORMS = frozenset({"batch", "plain"})


def siblings(steps: Sequence[Step]) -> dict[int, tuple[int, ...]]:
    """For each step with siblings, by index: the indices of all of them in order, its own included."""
    families: dict[object, list[int]] = {}
    for i, step in enumerate(steps):
        if len(step.sources) == 1 and isinstance(step.node.op, Conv) and _fits(step.node.op, step):
            families.setdefault((step.sources, step.node.op), []).append(i)
    looped = {step.node.name for step in steps if step.turn}
    found = [[i for i in family if steps[i].node.name not in looped] for family in families.values()]
    return {i: tuple(family) for family in found if len(family) > 1 for i in family}


def _fits(op: Conv, step: Step) -> bool:
    """Whether the layers after stacked kernels stay exact, and the images are large enough."""
    out = step.info.out
    even = op.padding == "same" and any(extent % 2 == 0 for extent in extents(op.kernel, op.dilation))
    normed = "norm" not in op.order or op.norm in NORMS
    return (
        op.order in ORDERS
        and normed
        and op.groups == 1
        and not even  # an even window is padded by a separate module
        and out.height * out.width >= FEWEST_PIXELS
    )
