"""A tape: which maps of a batch and which numbers besides are alive, and the most at any moment."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """What is alive at one moment."""

    each: int  # numbers of every image
    fixed: int  # numbers whatever the batch

    def of(self, batch: int) -> int:
        return self.each * batch + self.fixed


class Tape:
    """Counts what is alive. A map is freed when its last holder drops it, as torch frees a tensor."""

    def __init__(self) -> None:
        self.each = self.fixed = 0
        self._moments: dict[int, int] = {}

    def make(self, size: int) -> Map:
        """A new map with one holder."""
        self.each += size
        self.note()
        return Map(self, size)

    def note(self, each: int = 0, fixed: int = 0) -> None:
        """Note a moment at which this much more is alive."""
        each, fixed = self.each + each, self.fixed + fixed
        if fixed > self._moments.get(each, -1):
            self._moments[each] = fixed

    def most(self) -> tuple[Moment, ...]:
        """The moments of which one is the peak, whatever the batch: fewer maps only with more besides."""
        found: list[Moment] = []
        for each, fixed in sorted(self._moments.items(), reverse=True):
            if not found or fixed > found[-1].fixed:
                found.append(Moment(each, fixed))
        return tuple(found)


class Map:
    """A tensor of every image of the batch. size: its numbers per image."""

    __slots__ = ("_holders", "_tape", "size")

    def __init__(self, tape: Tape, size: int) -> None:
        self._tape, self.size, self._holders = tape, size, 1

    @property
    def is_shared(self) -> bool:
        return self._holders > 1

    def hold(self) -> Map:
        self._holders += 1
        return self

    def drop(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._tape.each -= self.size
