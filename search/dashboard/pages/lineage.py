"""The lineage of a trial as a tree: a row for each relative, older ones above it, younger ones below."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from search import formatting
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links

MOST = 40  # rows
MOST_OLDER = 28  # of them, where there are as many younger ones
LONGEST_LINE = 22  # steps back by first parents, which come before the other ancestors
ROW, LANE, LEFT = 46.0, 20.0, 16.0  # pixels: height of a row, between two lanes, left of the first
TEXT = 14.0  # pixels from a mark to its text
ROUND = 8.0  # radius of the corners of lines, in pixels
WIDTH = 760.0  # pixels
LONGEST_LABEL = 88  # characters of what made a trial
_LONG = re.compile(r"\d+\.\d{4,40}(?:e-?\d{1,2})?", re.ASCII)  # a number with more digits than are read

Leads: TypeAlias = Callable[[int], Sequence[int]]  # from a trial to its parents, or to its children


class Relative(NamedTuple):
    """One relative, or the trial itself. `made` says by which moves it came from those above it; `x` and `y` are
    where its mark is, and `text_x` where its text begins, in pixels."""

    number: int
    href: str | None
    outcome: str
    value: str
    made: str
    says: str
    x: float
    y: float
    text_x: float
    is_this: bool
    is_best: bool


class LineageTree(NamedTuple):
    """Rows from the oldest to the youngest, and lines between them as SVG writes them. `older` and `younger` are how
    many more relatives there are than are shown. `height` is in pixels."""

    rows: Sequence[Relative]
    lines: Sequence[str]
    older: int
    younger: int
    width: float
    height: float


class _Place(NamedTuple):
    number: int
    lane: int
    to: int | None  # the relative to whom its line leads


def lineage(snapshot: Snapshot, one: TrialView) -> LineageTree:
    """Return the lineage of a trial, cut to a number of rows that a person can read."""
    number = one.record.number

    def parents(of: int) -> list[int]:
        return [n for n in snapshot.by_number[of].parents if n in snapshot.by_number and n != of]

    def children(of: int) -> list[int]:
        """The best first: those are shown where not all can be."""
        return [
            c.record.number for c in sorted(snapshot.children.get(of, ()), key=lambda c: _cost(snapshot, c))
        ]

    all_older = _reached(number, parents)
    met = frozenset(all_older)
    all_younger = [n for n in _reached(number, children) if n not in met]
    older = _older(number, parents, all_older)[: max(MOST_OLDER, MOST - 1 - len(all_younger))]
    younger = all_younger[: MOST - 1 - len(older)]
    above = _above(number, 0, parents, set(older))
    below = _below(number, 0, children, set(younger))
    places = [*above, _Place(number, 0, None), *below]
    best = frozenset(record.number for record in snapshot.best)
    drawn = {frozenset((p.number, p.to)) for p in places}
    rows = [
        _row(snapshot, place, i, place.number == number, place.number in best, drawn)
        for i, place in enumerate(places)
    ]
    at = {row.number: row for row in rows}
    ends = [_ends(at[p.number], at[p.to]) for p in places if p.to is not None]
    for old, young in ends:  # what leads to a row from the right comes before its text
        row = at[young.number]
        at[young.number] = row._replace(text_x=max(row.text_x, old.x + TEXT))
    return LineageTree(
        [at[row.number] for row in rows],
        [_line(*pair) for pair in ends],
        len(all_older) - len(older),
        len(all_younger) - len(younger),
        WIDTH,
        len(rows) * ROW + 8,
    )


def _cost(snapshot: Snapshot, one: TrialView) -> tuple[float, int]:
    value = one.metric(snapshot.goal.name)
    return math.inf if value is None else snapshot.goal.cost(value), one.record.number


def _reached(start: int, leads: Leads) -> list[int]:
    """All trials that are reached from one, the nearest first."""
    met, found = {start}, [start]
    for at in found:
        new = [n for n in leads(at) if n not in met]
        met.update(new)
        found += dict.fromkeys(new)
    return found[1:]


def _older(start: int, parents: Leads, reached: Sequence[int]) -> list[int]:
    """The ancestors in the order in which they are worth a row: the line of first parents, then the nearest."""
    line, at = list[int](), start
    while len(line) < LONGEST_LINE and (own := parents(at)) and own[0] not in (start, *line):
        at = own[0]
        line.append(at)
    return list(dict.fromkeys([*line, *reached]))


def _above(number: int, lane: int, parents: Leads, left: set[int]) -> list[_Place]:
    """The places of the ancestors of a trial: its first parent in its own lane, the others beside."""
    made: list[_Place] = []
    for i, parent in enumerate(parents(number)):
        if parent in left:
            left.discard(parent)
            own = lane + i
            made += [*_above(parent, own, parents, left), _Place(parent, own, number)]
    return made


def _below(number: int, lane: int, children: Leads, left: set[int]) -> list[_Place]:
    """The places of the descendants of a trial: an only child in its own lane, several one lane further in."""
    own = [child for child in children(number) if child in left]
    left.difference_update(own)
    made: list[_Place] = []
    for child in own:
        at = lane + (len(own) > 1)
        made += [_Place(child, at, number), *_below(child, at, children, left)]
    return made


def _row(
    snapshot: Snapshot,
    place: _Place,
    i: int,
    is_this: bool,
    is_best: bool,
    drawn: Collection[frozenset[int | None]],
) -> Relative:
    one = snapshot.by_number[place.number]
    value = one.metric(snapshot.goal.name)
    said = formatting.metric(snapshot.goal.name, value) if value is not None else ""
    moves = list(one.record.origin.moves) if one.record.origin else []
    hows = [f"{how} ({parent})" for parent, how in one.parents.items() if how != "parent"]
    others = [parent for parent in one.parents if frozenset((parent, place.number)) not in drawn]
    also = f"also from {_listed(others)}" if others else ""
    made = _LONG.sub(
        lambda found: f"{float(found[0]):.4g}", ", ".join(part for part in (*moves, *hows, also) if part)
    )
    x = LEFT + LANE * place.lane
    return Relative(
        place.number,
        links.trial(snapshot.name, place.number),
        one.outcome,
        said,
        _shortened(made),
        _says(one, made, snapshot.goal.name, said),
        x,
        i * ROW + 30.0,
        x + TEXT,
        is_this,
        is_best,
    )


def _says(one: TrialView, made: str, goal: str, said: str) -> str:
    from_ = _listed(one.parents)
    parts = [f"trial {one.record.number}: {one.outcome}", f"{goal} {said}" if said else ""]
    parts += [f"from {from_}" if from_ else "", f"made by {made}" if made else ""]
    return ", ".join(part for part in parts if part)


def _listed(numbers: Iterable[int]) -> str:
    return " and ".join(f"trial {number}" for number in numbers)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _ends(a: Relative, b: Relative) -> tuple[Relative, Relative]:
    """The older and the younger end of a line."""
    return (a, b) if a.y < b.y else (b, a)


def _line(old: Relative, young: Relative) -> str:
    """The line between two rows: down in the lane of the older one, and across to the younger."""
    if old.x == young.x:
        return f"M{old.x:g} {old.y:g}V{young.y:g}"
    turn = math.copysign(ROUND, young.x - old.x)
    return f"M{old.x:g} {old.y:g}V{young.y - ROUND:g}Q{old.x:g} {young.y:g} {old.x + turn:g} {young.y:g}H{young.x:g}"
