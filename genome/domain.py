"""Domains of values: integer ranges, float ranges, choices. No torch, no Optuna."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str


class DomainError(ValueError):
    """A domain that holds no value, or whose bounds are not numbers."""


def _listed(*values: object) -> str:
    """Values as YAML lists them."""
    return f"[{', '.join(str(v).lower() if isinstance(v, bool) else str(v) for v in values)}]"


@dataclass(frozen=True, slots=True)
class Int:
    """The integers low, low + step, .., high, both ends included."""

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        if any(type(v) is not int for v in (self.low, self.high, self.step)):
            raise DomainError(f"int bounds are whole numbers, not {_listed(self.low, self.high, self.step)}")
        if self.low > self.high or self.step < 1:
            raise DomainError(f"int [{self.low}, {self.high}, {self.step}] holds no value")
        if (self.high - self.low) % self.step:
            raise DomainError(f"int [{self.low}, {self.high}, {self.step}]: {self.high} is not on the grid")

    def __contains__(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def draw(self, rng: Random) -> int:
        return self.low + self.step * int(rng.random() * ((self.high - self.low) // self.step + 1))

    def covers(self, other: Domain) -> bool:
        """Whether every value of `other` is in this domain."""
        if isinstance(other, Int):
            ends = other.low in self and other.high in self
            return ends and (other.step % self.step == 0 or other.low == other.high)
        return isinstance(other, OneOf) and all(v in self for v in other.choices)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")


@dataclass(frozen=True, slots=True)
class Float:
    """The real numbers from low to high, both ends included."""

    low: float
    high: float
    log: bool = False  # whether they are drawn uniformly on a log scale

    def __post_init__(self) -> None:
        bounds = (self.low, self.high)
        if any(isinstance(v, bool) or not isinstance(v, int | float) for v in bounds):
            raise DomainError(f"float bounds are numbers, not {_listed(*bounds)}")
        if not all(math.isfinite(v) for v in bounds) or self.low > self.high:
            raise DomainError(f"float [{self.low}, {self.high}] holds no value")
        if self.log and self.low <= 0:
            raise DomainError(f"float [{self.low}, {self.high}]: a log scale needs a low end above 0")

    def __contains__(self, value: object) -> bool:
        return type(value) is float and self.low <= value <= self.high

    def draw(self, rng: Random) -> float:
        if not self.log:
            return float(self.low + (self.high - self.low) * rng.random())
        at = math.exp(math.log(self.low) + math.log(self.high / self.low) * rng.random())
        return float(min(max(at, self.low), self.high))

    def covers(self, other: Domain) -> bool:
        """Whether every value of `other` is in this domain."""
        if isinstance(other, Float):
            return self.low <= other.low and other.high <= self.high
        return isinstance(other, OneOf) and all(v in self for v in other.choices)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """One of the given words, numbers or booleans."""

    choices: tuple[Value, ...]

    def __init__(self, *choices: Value) -> None:
        kinds = {(type(c), c) for c in choices}
        if not choices or len(kinds) != len(choices):
            raise DomainError(f"one_of {_listed(*choices)} is empty or names a choice twice")
        object.__setattr__(self, "choices", choices)

    def __contains__(self, value: object) -> bool:
        for choice in self.choices:  # noqa: SIM110  asked at every hole of a walk; `any` takes twice as long
            if type(value) is type(choice) and value == choice:
                return True
        return False

    def draw(self, rng: Random) -> Value:
        return self.choices[int(rng.random() * len(self.choices))]

    def covers(self, other: Domain) -> bool:
        """Whether every value of `other` is in this domain."""
        if isinstance(other, OneOf):
            return all(v in self for v in other.choices)
        return isinstance(other, Int) and all(v in self for v in range(other.low, other.high + 1, other.step))

    def __str__(self) -> str:
        words = [str(c).lower() if isinstance(c, bool) else str(c) for c in self.choices]
        return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


@dataclass(frozen=True, slots=True)
class Either:
    """A word such as `same`, or an integer of a range. It is legal for a gene, but a search tries only a part of it."""

    words: OneOf
    numbers: Int

    def __contains__(self, value: object) -> bool:
        return value in self.words or value in self.numbers

    def covers(self, other: Domain) -> bool:
        if isinstance(other, OneOf):
            return all(v in self for v in other.choices)
        return self.numbers.covers(other)

    def __str__(self) -> str:
        return f"{self.words} or {self.numbers}"


@dataclass(frozen=True, slots=True)
class PerAxis:
    """An integer of a range for both axes, or a pair (height, width) of two different ones. A search tries no pair."""

    each: Int

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, tuple):
            return value in self.each
        return len(value) == 2 and all(v in self.each for v in value) and value[0] != value[1]

    def paired(self, listed: list[object]) -> object:
        """The value of [height, width], one number if they are equal; other lists unchanged."""
        match listed:
            case [int(height), int(width)] if height in self.each and width in self.each:
                return height if height == width else (height, width)
        return listed

    def covers(self, other: Domain) -> bool:
        return self.each.covers(other)

    def __str__(self) -> str:
        return f"{self.each}, or [height, width]"


Domain: TypeAlias = Int | Float | OneOf
Legal: TypeAlias = Int | Float | OneOf | Either | PerAxis

FLAG = OneOf(False, True)
