"""The inputs that the joins of a network read, chosen by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genome.ops._paths import Branches, Paths, Sources, needed_steps
from genome.step import Step


def kept(
    steps: Sequence[Step],
    joins: Mapping[int, Paths | None],
    exits: Sequence[int],
    inputs: Mapping[str, Sequence[str]],
) -> dict[int, Sources | None]:
    """The inputs that each join reads, and None for each step that no exit needs then.

    joins: the steps that are joins, with their drop-path.

    Raises:
        ValueError: as `Network.keeping`.
    """
    names = {steps[i].node.name for i in joins}
    if unknown := set(inputs) - names:
        raise ValueError(f"{', '.join(sorted(unknown))}: no add or mean of the network")
    found: dict[int, Sources | None] = {}
    for i, paths in joins.items():
        wanted = inputs.get(steps[i].node.name)
        found[i] = steps[i].sources if wanted is None else _read(steps[i], wanted, paths)
    return needed_steps(found, [step.sources for step in steps], exits)


def _read(step: Step, wanted: Sequence[str], paths: Paths | None) -> Sources:
    """The inputs of a join that are read if only `wanted` are kept."""
    keep = {wanted} if isinstance(wanted, str) else set(wanted)
    name, ins = step.node.name, step.node.ins
    if unknown := keep - set(ins):
        raise ValueError(f"{name} does not read {', '.join(sorted(unknown))}; it reads {', '.join(ins)}")
    read = [source for source, at in zip(ins, step.sources, strict=True) if at is not None]
    if not keep.intersection(read):
        place = f" in pass {step.turn}" if step.turn or len(read) < len(ins) else ""
        raise ValueError(f"{name} must keep one of {', '.join(read)}{place}")
    if isinstance(paths, Branches) and read[-1] not in keep:
        raise ValueError(f"{name} always keeps its shortcut, {read[-1]}")
    return tuple([at if source in keep else None for source, at in zip(ins, step.sources, strict=True)])
