"""Segments: the steps of a plan, divided by the exit that needs them first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from genome.step import SOURCE, Step


class Segment(NamedTuple):
    """What one exit needs that the exits before it did not compute."""

    steps: tuple[int, ...]  # indices into the plan, in order of evaluation; that of the exit is the last
    drops: tuple[tuple[int, ...], ...]  # per step: the values that nothing reads after it, here or later
    macs: int  # multiply-adds of one image


def segments(steps: Sequence[Step], exits: Sequence[int]) -> tuple[Segment, ...]:
    """The segments of a plan in the order of its exits. Steps that no exit needs are in none of them."""
    done: set[int] = set()
    parts = []
    for place in exits:
        own = needed(steps, place, done)
        done.update(own)
        parts.append(own)
    drops = _drops(steps, [i for own in parts for i in own])
    return tuple(
        [
            Segment(own, tuple([drops[i] for i in own]), sum([steps[i].info.cost.macs for i in own]))
            for own in parts
        ]
    )


def costs(parts: Sequence[Segment]) -> tuple[int, ...]:
    """The multiply-adds of an image that leaves at each exit; the exits before it are counted in."""
    total, found = 0, []
    for part in parts:
        total += part.macs
        found.append(total)
    return tuple(found)


def needed(steps: Sequence[Step], place: int, done: Collection[int] = ()) -> tuple[int, ...]:
    """The steps that lead to one step, itself included, without those that are done. They are indices of a plan."""
    found, ahead = {place}, [place]
    while ahead:
        for source in steps[ahead.pop()].sources:
            if source is not None and source != SOURCE and source not in found and source not in done:
                found.add(source)
                ahead.append(source)
    return tuple(sorted(found))


def _drops(steps: Sequence[Step], order: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For each step the values that it is the last to read, in this order of evaluation."""
    last: dict[int, int] = {}
    for i in order:
        last.update({source: i for source in steps[i].sources if source is not None})
    found: dict[int, list[int]] = {i: [] for i in order}
    for source, at in last.items():
        found[at].append(source)
    return {i: tuple(sources) for i, sources in found.items()}
