"""The names of a network's modules: one Python identifier for each step of a plan."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from genome.step import Step

_RESERVED = nn.ModuleDict()


def module_names(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return a name for each step that is unique among them and no attribute of nn.ModuleDict.

    The node `s1.2/conv1` becomes `s1_2__conv1`, and its second pass in a loop `s1_2__conv1__pass1`. A name that is
    taken, such as `half`, gets a `_` at its end.
    """
    taken: set[str] = set()
    names = []
    for step in steps:
        name = step.node.name.replace("/", "__").replace(".", "_")
        if step.turn:
            name += f"__pass{step.turn}"
        while name in taken or hasattr(_RESERVED, name):
            name += "_"
        taken.add(name)
        names.append(name)
    return tuple(names)


def earlier_name(step: Step) -> str:
    """Return the name of the step's module up to version 0.2, as in the checkpoints and exports of that time."""
    name = step.node.name.replace(".", ":")
    if step.turn:
        return f"{name}@{step.turn}"
    return f"{name}:" if hasattr(_RESERVED, name) else name
