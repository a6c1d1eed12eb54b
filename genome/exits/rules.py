"""Rules: which images leave at an exit, by the logits of the exits so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import SCORES, score_of_one, scores


class Judged(NamedTuple):
    """What a rule says at one exit."""

    leaves: NDArray[np.bool_]  # (B,)
    memory: NDArray[np.int64] | None  # (B, ..): what the rule keeps of each image for the next exit


OfOne: TypeAlias = tuple[int, int] | None  # the memory of one image


@dataclass(frozen=True)
class Threshold:
    """An image leaves at the first exit whose score is strictly beyond its threshold; the last exit always answers."""

    score: str  # a key of SCORES: entropy leaves below its threshold, confidence and margin above
    thresholds: tuple[float, ...]  # one for each exit but the last
    temperatures: tuple[float, ...] = ()  # one for each exit, by which its logits are divided; empty: all 1

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise ValueError(f"the score is {self.score!r}; it may be {', '.join(SCORES)}")
        if not all(map(_is_number, self.thresholds)):
            raise ValueError(f"the thresholds are {list(self.thresholds)}; each must be a finite number")
        if not all(_is_number(one) and one > 0 for one in self.temperatures):
            raise ValueError(f"the temperatures are {list(self.temperatures)}; each must be a number above 0")

    def check(self, exits: int) -> None:
        """Raise ValueError unless the rule is one for so many exits."""
        if len(self.thresholds) != exits - 1:
            raise ValueError(
                f"the rule has {len(self.thresholds)} thresholds; a network of {exits} exits needs {exits - 1}"
            )
        if self.temperatures and len(self.temperatures) != exits:
            raise ValueError(
                f"the rule has {len(self.temperatures)} temperatures; a network of {exits} exits needs {exits}"
            )

    def judged(self, exit: int, logits: NDArray[Any], memory: NDArray[np.int64] | None) -> Judged:
        """Judge the images that reach an exit. exit: its place, from 0.  logits: (B, classes)."""
        found, limit = scores(self.score, logits, self._temperature(exit)), self.thresholds[exit]
        return Judged(found > limit if SCORES[self.score].sign > 0 else found < limit, None)

    def judged_one(self, exit: int, logits: Sequence[float], memory: OfOne) -> tuple[bool, OfOne]:
        """Judge one image."""
        found, limit = score_of_one(self.score, logits, self._temperature(exit)), self.thresholds[exit]
        return (found > limit if SCORES[self.score].sign > 0 else found < limit), None

    def _temperature(self, exit: int) -> float:
        return self.temperatures[exit] if self.temperatures else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values, which `rule_of` reads."""
        plain = {"thresholds": list(self.thresholds), "temperatures": list(self.temperatures)}
        return {"rule": self.score, **plain}


@dataclass(frozen=True)
class Patience:
    """An image leaves at the first exit that is the last of `agree` exits in a row that name one class.

    Zhou et al., NeurIPS 2020, arXiv:2006.04152, whose patience is `agree` - 1.
    """

    agree: int

    def __post_init__(self) -> None:
        if type(self.agree) is not int or self.agree < 1:
            raise ValueError(f"agree is {self.agree!r}; it must be a whole number from 1")

    def check(self, exits: int) -> None:
        """Raise ValueError unless the rule is one for so many exits; it is one for any number."""

    def judged(self, exit: int, logits: NDArray[Any], memory: NDArray[np.int64] | None) -> Judged:
        """Judge the images that reach an exit. memory: (B, 2), the class of the exit before and for how many exits."""
        classes = logits.argmax(1)
        run = np.ones_like(classes)
        if memory is not None:
            run += np.where(memory[:, 0] == classes, memory[:, 1], 0)
        classes, run = (
            np.where(np.isnan(logits).any(1), lost, one) for one, lost in ((classes, -1), (run, 0))
        )
        return Judged(run >= self.agree, np.stack([classes, run], 1))

    def judged_one(self, exit: int, logits: Sequence[float], memory: OfOne) -> tuple[bool, OfOne]:
        """Judge one image."""
        if any(map(math.isnan, logits)):
            return False, (-1, 0)
        named = logits.index(max(logits))
        run = 1 + (memory[1] if memory is not None and memory[0] == named else 0)
        return run >= self.agree, (named, run)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, which `rule_of` reads."""
        return {"rule": "patience", "agree": self.agree}


Rule: TypeAlias = Threshold | Patience


def rule_of(plain: Any) -> Rule:
    """The rule of plain values. Raises ValueError for anything that no rule's `to_json` gives."""
    word = plain.get("rule") if isinstance(plain, Mapping) else None
    if word == "patience":
        return Patience(plain.get("agree"))
    if not isinstance(word, str) or word not in SCORES:
        raise ValueError(f"the rule is {word!r}; it may be {', '.join([*SCORES, 'patience'])}")
    lists = [plain.get("thresholds"), plain.get("temperatures")]
    if not all(isinstance(one, list) for one in lists):
        raise ValueError("thresholds and temperatures must be lists of numbers")
    return Threshold(word, *map(tuple, lists))


def chosen(rule: Rule, logits: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """The exit that each image takes, where all exits were computed. logits: (N, classes) of each exit. -> (N,)

    Raises:
        ValueError: a rule for another number of exits.
    """
    rule.check(len(logits))
    taken = np.full(len(logits[0]), len(logits) - 1)
    left = np.arange(len(taken))
    memory = None
    for exit, of_all in enumerate(logits[:-1]):
        leaves, memory = rule.judged(exit, of_all[left], memory)
        taken[left[leaves]] = exit
        left = left[~leaves]
        memory = None if memory is None else memory[~leaves]
    return taken


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
