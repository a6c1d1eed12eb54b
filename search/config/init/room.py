"""Room: the part of a preset whose widths suit the limits of a study."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import genome
from genome import GenomeError, Shape
from genome.yaml.source import Source
from search.space import preset
from search.space.parse import space_of
from search.space.space import Space

if TYPE_CHECKING:
    from genome import Plan

DRAWS = 200  # genomes by which a share is measured: to 7 points, with a confidence of 95 %
WANTED = 0.3  # share of the drawn genomes inside the limits; the samplers narrow or widen the others to them
# the largest base of the schedule, in channels
HIGHEST = (
    *(3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48),
    *(64, 80, 96, 128, 160, 192, 256, 320, 384, 512),
)
SPREAD = 6  # the largest base by the smallest
Inside = Callable[["Plan"], bool]


class Room(NamedTuple):
    """A preset with narrowed widths, and what was drawn from it."""

    preset: str
    stages: int
    widths: dict[str, Any]  # as in YAML
    plans: tuple[Plan, ...]  # of the genomes drawn
    share: float  # of these inside the limits

    def space(self, shape: Shape, classes: int) -> Space:
        """Return the space for these images."""
        return _space(self.preset, shape, classes, self.stages, self.widths)

    def inside(self, inside: Inside) -> tuple[Plan, ...]:
        """Return the drawn plans inside some limits."""
        return tuple(plan for plan in self.plans if inside(plan))


def suited(name: str, shape: Shape, classes: int, inside: Inside) -> Room:
    """Return the preset with those widths of which about half of the drawn genomes are inside some limits.

    The share falls as widths grow, so the widths are found by halving.
    """
    low, high = 0, len(HIGHEST) - 1
    rooms = {}
    while low <= high:
        middle = (low + high) // 2
        rooms[middle] = room = drawn(name, shape, classes, HIGHEST[middle], inside)
        if room.share >= WANTED:
            low = middle + 1
        else:
            high = middle - 1
    return min(rooms.values(), key=lambda room: abs(room.share - WANTED))


def drawn(name: str, shape: Shape, classes: int, highest: int, inside: Inside) -> Room:
    """Draw genomes from a preset whose base reaches up to `highest` channels."""
    stages = min(preset.usual_stages(shape), preset.most_stages(name))
    plans = _plans(name, shape, classes, stages, highest)
    return Room(name, stages, widths_of(name, highest), plans, sum(map(inside, plans)) / DRAWS)


def widths_of(name: str, highest: int) -> dict[str, Any]:
    """Return the keys of `widths` that scale a preset: a base of up to `highest` channels, and what is added."""
    lowest = max(2, highest // SPREAD)
    if name == "tiny":  # few values, so that it stays small
        return {"base": {"one_of": [max(2, highest // 2), highest]}, "alpha": 2 * highest}
    return {"base": {"int": [lowest, highest]}, "alpha": {"int": [lowest, 2 * highest]}}


def _space(name: str, shape: Shape, classes: int, stages: int, widths: dict[str, Any]) -> Space:
    source = Source(name, {"space": preset.filled(name, shape, stages, widths)}, {})
    return space_of(source, ("space",), name, shape, classes)


@lru_cache(
    maxsize=10
)  # other limits ask for the same plans: two searches by halving look at about so many widths
def _plans(name: str, shape: Shape, classes: int, stages: int, highest: int) -> tuple[Plan, ...]:
    space = _space(name, shape, classes, stages, widths_of(name, highest))
    rng = Random(0)
    found: list[Plan] = []
    for _ in range(DRAWS):
        try:
            found.append(genome.resolve(space.sample(rng)))
        except GenomeError:  # refused in a search too: not inside
            continue
    return tuple(found)
