"""Channels: which nodes the channels of a value come from. Reads plans alone; no tensors."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, TypeAlias

from genome.graph import IMAGE
from genome.plan import Plan
from genome.step import SOURCE


class Block(NamedTuple):
    """Channels that one node gives, or the image."""

    source: str
    channels: int


Blocks: TypeAlias = tuple[Block, ...]
Reads: TypeAlias = dict[int, Blocks]  # by the input's place
Label: TypeAlias = tuple[
    Any, ...
]  # of a place of an axis; of a channel that is read it begins with the source


def read(plan: Plan) -> list[Reads]:
    """What each step reads. Pools, dropout, concatenations and the like hand on the channels of what they read."""
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
    """What each node reads in any pass, places in order."""
    found: dict[str, Reads] = {}
    for step, own in zip(plan.steps, reads, strict=True):
        found.setdefault(step.node.name, {}).update(own)
    return {name: dict(sorted(places.items())) for name, places in found.items()}


def sources(reads: Reads) -> list[str]:
    """The nodes whose channels are read, each once."""
    return list(dict.fromkeys(block.source for blocks in reads.values() for block in blocks))


def labels(reads: Reads) -> tuple[Label, ...]:
    """A name for each channel that is read: its source, the how-many-eth time that is read, and its number there."""
    times: Counter[str] = Counter()
    made: list[Label] = []
    for blocks in reads.values():
        for source, channels in blocks:
            made += [(source, times[source], k) for k in range(channels)]
            times[source] += 1
    return tuple(made)


def replacing(parent: Reads, child: Reads) -> dict[str, str]:
    """For each source that only the child reads, the one whose place it took: those that only the parent reads, in
    order. The last unit of a longer stack takes the place of the last one before."""
    before, now = sources(parent), sources(child)
    gone = [source for source in before if source not in now]
    new = [source for source in now if source not in before]
    return dict(zip(new, gone, strict=False))
