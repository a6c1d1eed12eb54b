"""The lineage of a trial as a tree: one row for each relative, ancestors above the trial, descendants below it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from search import objective
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links

MOST = 40  # rows
MOST_OLDER = 28  # rows of ancestors, where there are many descendants too
LONGEST_LINE = 22  # first parents in a row, which are shown before the other ancestors
ROW, LANE, LEFT = 46.0, 20.0, 16.0  # pixels: height of a row, between two lanes, left of the first
TEXT = 14.0  # pixels from a mark to its text
ROUND = 8.0  # radius of the corners of lines, in pixels
WIDTH = 760.0  # pixels
LONGEST_LABEL = 88  # characters of the mutations that made a trial
_LONG = re.compile(r"\d+\.\d{4,40}(?:e-?\d{1,2})?", re.ASCII)  # a number with too many digits to read

Leads: TypeAlias = Callable[[int], Sequence[int]]  # from a trial to its parents, or to its children


class Relative(NamedTuple):
    """One relative, or the trial itself, as a row of the tree. Lengths are in pixels."""

    number: int
    href: str | None
    outcome: str
    value: str  # of the objective that is learnt
    made: str  # the mutations that made the trial from its parents
    says: str  # the row in words
    x: float  # of the mark
    y: float  # of the mark
    text_x: float  # where the text begins
    is_this: bool
    is_best: bool


class LineageTree(NamedTuple):
    """The lineage of a trial."""

    rows: Sequence[Relative]  # from the oldest to the youngest
    lines: Sequence[str]  # between the rows, as paths of SVG
    older: int  # ancestors that are not shown
    younger: int  # descendants that are not shown
    width: float  # pixels
    height: float  # pixels


class _Place(NamedTuple):
    number: int
    lane: int
    to: int | None  # the relative at the other end of its line


def lineage(snapshot: Snapshot, trial: TrialView) -> LineageTree:
    """Return the lineage of a trial, with as many rows as a person can read."""
    number = trial.record.number

    def parents(of: int) -> list[int]:
        return [n for n in snapshot.by_number[of].parents if n in snapshot.by_number and n != of]

    def children(of: int) -> list[int]:
        """The children, the best first: the best are shown where there are too many."""
        return [
            c.record.number for c in sorted(snapshot.children.get(of, ()), key=lambda c: _cost(snapshot, c))
        ]

    all_older = _reached(number, parents)
    seen = frozenset(all_older)
    all_younger = [n for n in _reached(number, children) if n not in seen]
    older = _older(number, parents, all_older)[: max(MOST_OLDER, MOST - 1 - len(all_younger))]
    younger = all_younger[: MOST - 1 - len(older)]
    above = _above(number, 0, parents, set(older))
    below = _below(number, 0, children, set(younger))
    places = [*above, _Place(number, 0, None), *below]
    hidden = len(all_older) - len(older), len(all_younger) - len(younger)
    return _tree(_rows(snapshot, number, places), places, *hidden)


def _rows(snapshot: Snapshot, number: int, places: Sequence[_Place]) -> dict[int, Relative]:
    """The rows of the tree by number of the trial; `number` is the trial whose lineage is shown."""
    best = frozenset(record.number for record in snapshot.best)
    drawn = {frozenset((p.number, p.to)) for p in places}
    return {
        place.number: _row(snapshot, place, i, place.number == number, place.number in best, drawn)
        for i, place in enumerate(places)
    }


def _tree(rows: dict[int, Relative], places: Sequence[_Place], older: int, younger: int) -> LineageTree:
    """The rows and the lines between them; the text of a row stands to the right of every line to the row."""
    ends = [_ends(rows[p.number], rows[p.to]) for p in places if p.to is not None]
    text_x = {number: row.text_x for number, row in rows.items()}
    for old, young in ends:
        text_x[young.number] = max(text_x[young.number], old.x + TEXT)
    return LineageTree(
        [row._replace(text_x=text_x[number]) for number, row in rows.items()],
        [_line(*pair) for pair in ends],
        older,
        younger,
        WIDTH,
        len(rows) * ROW + 8,
    )


def _cost(snapshot: Snapshot, trial: TrialView) -> tuple[float, int]:
    value = trial.metric(snapshot.goal.name)
    return math.inf if value is None else snapshot.goal.cost(value), trial.record.number


def _reached(start: int, leads: Leads) -> list[int]:
    """All trials that are reached from a trial, the nearest first."""
    seen, found = {start}, [start]
    for at in found:
        new = [n for n in leads(at) if n not in seen]
        seen.update(new)
        found += dict.fromkeys(new)
    return found[1:]


def _older(start: int, parents: Leads, reached: Sequence[int]) -> list[int]:
    """The ancestors by importance: first the line of first parents, then the nearest ones."""
    line, at = list[int](), start
    while len(line) < LONGEST_LINE and (own := parents(at)) and own[0] not in (start, *line):
        at = own[0]
        line.append(at)
    return list(dict.fromkeys([*line, *reached]))


def _above(number: int, lane: int, parents: Leads, left: set[int]) -> list[_Place]:
    """The places of the ancestors of a trial: the first parent in the trial's lane, the others in the next lanes."""
    made: list[_Place] = []
    for i, parent in enumerate(parents(number)):
        if parent in left:
            left.discard(parent)
            own = lane + i
            made += [*_above(parent, own, parents, left), _Place(parent, own, number)]
    return made


def _below(number: int, lane: int, children: Leads, left: set[int]) -> list[_Place]:
    """The places of the descendants of a trial: an only child in the trial's lane, several in the next lane."""
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
    trial = snapshot.by_number[place.number]
    value = trial.metric(snapshot.goal.name)
    text = objective.formatted(snapshot.goal.name, value) if value is not None else ""
    moves = list(trial.record.origin.moves) if trial.record.origin else []
    hows = [f"{how} ({parent})" for parent, how in trial.parents.items() if how != "parent"]
    others = [parent for parent in trial.parents if frozenset((parent, place.number)) not in drawn]
    also = f"also from {_listed(others)}" if others else ""
    made = _LONG.sub(
        lambda found: f"{float(found[0]):.4g}", ", ".join(part for part in (*moves, *hows, also) if part)
    )
    x = LEFT + LANE * place.lane
    return Relative(
        place.number,
        links.trial(snapshot.name, place.number),
        trial.outcome,
        text,
        _shortened(made),
        _says(trial, made, snapshot.goal.name, text),
        x,
        i * ROW + 30.0,
        x + TEXT,
        is_this,
        is_best,
    )


def _says(trial: TrialView, made: str, goal: str, text: str) -> str:
    from_ = _listed(trial.parents)
    parts = [f"trial {trial.record.number}: {trial.outcome}", f"{goal} {text}" if text else ""]
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
    """The line between two rows: down in the lane of the older row, then across to the younger row."""
    if old.x == young.x:
        return f"M{old.x:g} {old.y:g}V{young.y:g}"
    turn = math.copysign(ROUND, young.x - old.x)
    return f"M{old.x:g} {old.y:g}V{young.y - ROUND:g}Q{old.x:g} {young.y:g} {old.x + turn:g} {young.y:g}H{young.x:g}"
