"""The curve of accuracy over cost that a kind of rule reaches on labelled images, and the point that meets a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genome.exits.rules import Patience, Rule, Threshold, chosen
from genome.exits.scores import SCORES, Numbers
from genome.exits.shares import levels_of_shares
from genome.exits.table import Levels, Table, table_of, taken_exits, traded
from genome.exits.thresholds import levels_of, solved, thresholds

SHARES = tuple(float(one) for one in np.linspace(0.0, 1.0, 51))  # of the images that reach an exit


class Seen(NamedTuple):
    """What every exit of a network says of labelled images."""

    logits: tuple[NDArray[Any], ...]  # (n, classes) of each exit
    labels: NDArray[np.int64]  # (n,)
    temperatures: tuple[float, ...] = ()  # of each exit, for scores; empty: all 1

    def accuracies(self) -> tuple[float, ...]:
        """The share of the images that each exit classifies correctly."""
        return tuple([float((one.argmax(1) == self.labels).mean()) for one in self.logits])


class Point(NamedTuple):
    """A rule with what it comes to on some images."""

    rule: Rule
    accuracy: float  # share of the images that are classified correctly by the exit that they take
    cost: float  # mean over the images, in the unit of the costs


class Outcome(NamedTuple):
    """What a rule comes to on some images, by exits."""

    accuracy: float
    cost: float
    shares: tuple[float, ...]  # of the images that leave at each exit
    accuracies: tuple[float | None, ...]  # of the images that leave at each exit; None where none does


class TargetError(ValueError):
    """A target that no point of a curve meets; `nearest` is the point that misses it least."""

    def __init__(self, nearest: Point) -> None:
        super().__init__(f"no point of the curve meets the target; the nearest: {nearest}")
        self.nearest = nearest


@dataclass(frozen=True)
class Target:
    """What is wanted of a rule: the most accurate one of at most a mean cost, or the cheapest of at most a drop."""

    kind: Literal["cost", "drop"]
    value: float  # the mean cost; or how far the accuracy may be below that of the last exit, in shares of the images


def curve(word: str, seen: Seen, costs: Sequence[float]) -> tuple[Point, ...]:
    """The points of a kind of rule that no other of its points beats, the cheapest first.

    word: a key of RULES.  costs: of an image that leaves at each exit, in any unit.

    Raises:
        ValueError: an unknown word, fewer than two exits, or no images.
    """
    if word not in RULES:
        raise ValueError(f"the rule is {word!r}; it may be {', '.join(RULES)}")
    if len(seen.logits) < 2:
        raise ValueError("the network has one exit; stopping early needs two or more")
    if not len(seen.labels):
        raise ValueError("there are no images; thresholds need at least one")
    return _unbeaten([*RULES[word](seen, costs)])


def picked(points: Sequence[Point], target: Target, last: float) -> Point:
    """The point of a curve that meets a target. last: the accuracy of the last exit alone.

    Raises:
        TargetError: none does.
    """
    if target.kind == "cost":
        meeting = [one for one in points if one.cost <= target.value]
        if not meeting:
            raise TargetError(points[0])
        return meeting[-1]
    meeting = [one for one in points if one.accuracy >= last - target.value - 1e-9]
    if not meeting:
        raise TargetError(points[-1])
    return meeting[0]


def outcome(rule: Rule, seen: Seen, costs: Sequence[float]) -> Outcome:
    """What a rule comes to, by exits. costs: of an image that leaves at each exit.

    Raises:
        ValueError: a rule for another number of exits.
    """
    hits = np.stack([one.argmax(1) == seen.labels for one in seen.logits])
    return _outcome(chosen(rule, seen.logits), hits, np.array(costs, float))


def outcomes(rules: Sequence[Rule], seen: Seen, costs: Sequence[float]) -> list[Outcome]:
    """What each rule comes to, as `outcome` says; the scores that several rules share are computed once."""
    tables: dict[tuple[str, tuple[float, ...]], Table] = {}
    found = []
    for rule in rules:
        if not isinstance(rule, Threshold):
            found.append(outcome(rule, seen, costs))
            continue
        key = rule.score, rule.temperatures
        if key not in tables:
            tables[key] = table_of(rule.score, seen.logits, seen.labels, costs, rule.temperatures)
        taken = taken_exits(tables[key], levels_of(rule.score, rule.thresholds))
        found.append(_outcome(taken, tables[key].hits, tables[key].costs))
    return found


def _outcome(taken: NDArray[np.int64], right: NDArray[np.bool_], costs: Numbers) -> Outcome:
    """taken: (n,), the exit of each image.  right: (exits, n), whether the exit names the right class."""
    hits = right[taken, np.arange(len(taken))]
    leaving = [hits[taken == exit] for exit in range(len(right))]
    return Outcome(
        float(hits.mean()),
        float(costs[taken].mean()),
        tuple([len(own) / len(taken) for own in leaving]),
        tuple([float(own.mean()) if len(own) else None for own in leaving]),
    )


Rules = Callable[[Seen, Sequence[float]], Iterator[Point]]


def _solved(word: str) -> Rules:
    def points(seen: Seen, costs: Sequence[float]) -> Iterator[Point]:
        table = table_of(word, seen.logits, seen.labels, costs, seen.temperatures)
        for one in solved(table, word):
            yield Point(_rule(word, one.levels, seen), one.hits / len(seen.labels), one.cost)

    return points


def _percent(seen: Seen, costs: Sequence[float]) -> Iterator[Point]:
    """The same share of the images that reach an exit leaves at each, the most certain by entropy."""
    table = table_of("entropy", seen.logits, seen.labels, costs, seen.temperatures)
    for share in SHARES:
        one = traded(table, levels_of_shares(table, "entropy", (share,) * len(table.certainty)))
        yield Point(_rule("entropy", one.levels, seen), one.hits / len(seen.labels), one.cost)


def _patience(seen: Seen, costs: Sequence[float]) -> Iterator[Point]:
    for agree in range(1, len(seen.logits) + 1):
        found = outcome(Patience(agree), seen, costs)
        yield Point(Patience(agree), found.accuracy, found.cost)


def _rule(word: str, levels: Levels, seen: Seen) -> Threshold:
    return Threshold(word, thresholds(word, levels), seen.temperatures)


RULES: Mapping[str, Rules] = {
    **{word: _solved(word) for word in SCORES},
    "percent": _percent,
    "patience": _patience,
}


def _unbeaten(points: Sequence[Point]) -> tuple[Point, ...]:
    found: list[Point] = []
    for one in sorted(points, key=lambda p: (p.cost, -p.accuracy)):
        if not found or one.accuracy > found[-1].accuracy:
            found.append(one)
    return tuple(found)
