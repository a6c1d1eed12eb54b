"""The nodes that the channels of each value come from, as read from a plan; no tensors."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, TypeAlias

from genome.graph import IMAGE
from genome.plan import Plan
from genome.step import SOURCE


class Block(NamedTuple):
    """Consecutive channels from one node, or from the image."""

    source: str  # the name of the node
    channels: int


Blocks: TypeAlias = tuple[Block, ...]
Reads: TypeAlias = dict[int, Blocks]  # by the position of the input in `in`
# names an index of an axis; for a channel that is read it begins with the source
Label: TypeAlias = tuple[Any, ...]


def read(plan: Plan) -> list[Reads]:
    """The channels that each step reads. Types without a width, such as pools, pass on those of their inputs."""
    made: dict[int, Blocks] = {SOURCE: (Block(IMAGE, plan.genome.input.channels),)}
    found: list[Reads] = []
    for i, step in enumerate(plan.steps):
        reads = {place: made[s] for place, s in enumerate(step.sources) if s is not None}
        found.append(reads)
        blocks = tuple([block for place in reads.values() for block in place])
        hands_on = step.node.op.width == "never"
        made[i] = blocks if hands_on else (Block(step.node.name, step.info.out.channels),)
    return found


def gathered(plan: Plan, reads: list[Reads]) -> dict[str, Reads]:
    """The channels that each node reads in any pass of its loop, inputs in order."""
    found: dict[str, Reads] = {}
    for step, own in zip(plan.steps, reads, strict=True):
        found.setdefault(step.node.name, {}).update(own)
    return {name: dict(sorted(places.items())) for name, places in found.items()}


def sources(reads: Reads) -> list[str]:
    """The nodes whose channels are read, each once, in order."""
    return list(dict.fromkeys(block.source for blocks in reads.values() for block in blocks))


def labels(reads: Reads) -> tuple[Label, ...]:
    """A label for each channel that is read: its source, how often the source came before, its number there."""
    times: Counter[str] = Counter()
    made: list[Label] = []
    for blocks in reads.values():
        for source, channels in blocks:
            made += [(source, times[source], k) for k in range(channels)]
            times[source] += 1
    return tuple(made)


def replacing(parent: Reads, child: Reads) -> dict[str, str]:
    """The source that each new source replaces: those that only the child reads, paired with those of the parent only.

    So the last unit of a longer stack replaces the last unit of the shorter one.
    """
    before, now = sources(parent), sources(child)
    gone = [source for source in before if source not in now]
    new = [source for source in now if source not in before]
    return dict(zip(new, gone, strict=False))
