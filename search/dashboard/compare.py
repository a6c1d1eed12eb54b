"""What the page shows that holds two to four trials against each other: costs, learning curves, differences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import genome
from genome import Genome
from genome.source import SourceError
from search.dashboard import link
from search.dashboard.graphdiff import graphdiff, picture
from search.dashboard.library import Missing
from search.dashboard.query import QueryError
from search.dashboard.seen import Seen
from search.dashboard.snapshot import Snapshot
from search.dashboard.study import row
from search.dashboard.textdiff import textdiff
from search.dashboard.trial import curve_of, found
from search.objective import MAXIMIZE, MINIMIZE

FEWEST, MOST = 2, 4
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
ROWS = ("accuracy", "loss", "params", "macs", "memory", "latency", "epochs", "seconds")
HIGHER = ("accuracy",)  # is better, whatever the objectives
NEITHER = ("epochs",)


def compared(given: Iterable[tuple[str, str]]) -> tuple[int, ...]:
    """Read the parameters of an address: the numbers of two to four trials. Raises QueryError."""
    numbers = []
    for name, text in given:
        if name != "trial":
            raise QueryError(
                f"{name[:40]!r} is nothing that this page knows; it knows trial, two to four times"
            )
        if not _NUMBER.fullmatch(text):
            raise QueryError(f"trial is {text[:40]!r}; it may be the number of a trial")
        numbers.append(int(text))
    distinct = tuple(dict.fromkeys(numbers))
    if not FEWEST <= len(distinct) <= MOST:
        raise QueryError(f"{len(distinct)} trials are named; choose {FEWEST} to {MOST} to compare")
    return distinct


def pair(text: str) -> tuple[int, int]:
    """Read two numbers of an address, such as 3-12. Raises Missing."""
    before, _, after = text.partition("-")
    if not (_NUMBER.fullmatch(before) and _NUMBER.fullmatch(after)):
        raise Missing("there is no such page")
    return int(before), int(after)


def compare(shown: Snapshot, numbers: Sequence[int]) -> dict[str, Any]:
    """Return the page's values; the trials are held against the first. Raises Missing where there is no such trial."""
    trials = [found(shown, number) for number in numbers]
    return {
        "study": shown.name,
        "study_href": link.study(shown.name),
        "href": link.compare(shown.name, numbers),
        "trials": [row(shown, one) for one in trials],
        "costs": _costs(shown, trials),
        "curves": [
            {"number": one.record.number, "rows": curve_of(shown, one), "rungs": dict(one.record.rungs)}
            for one in trials
        ],
        "differences": [_difference(shown, trials[0], other) for other in trials[1:]],
    }


def difference_picture(shown: Snapshot, before: int, after: int, is_after: bool) -> str:
    """Return the picture of one of two trials, marked with where it differs from the other. Raises Missing."""
    texts = [found(shown, number).record.genome for number in (before, after)]
    if None in texts:
        raise Missing("no genome was kept of one of these trials")
    mine, other = (texts[1], texts[0]) if is_after else (texts[0], texts[1])
    return picture(mine or "", other or "", is_after)


def _costs(shown: Snapshot, trials: Sequence[Seen]) -> list[dict[str, Any]]:
    """A row for each number that some trial has; the best in it are marked where not all are equal."""
    ways = {name: MAXIMIZE if name in HIGHER else MINIMIZE for name in ROWS} | dict(shown.file.objectives)
    made = []
    for name in ROWS:
        values = [_value(one, name) for one in trials]
        known = [value for value in values if value is not None]
        if known:
            made.append(
                {"name": name, "values": values, "best": _best(values, ways[name], name not in NEITHER)}
            )
    if any(one.record.finale for one in trials):
        spreads = [one.record.finale and one.record.finale.spread(shown.goal.name) for one in trials]
        means = [spread.mean if spread else None for spread in spreads]
        said = [str(spread) if spread else None for spread in spreads]
        best = _best(means, ways[shown.goal.name])
        made.insert(0, {"name": f"{shown.goal.name} over seeds", "values": said, "best": best})
    return made


def _value(one: Seen, name: str) -> float | None:
    if name == "seconds":  # a finale is not part of the comparison: only the best have one
        return one.record.search_seconds
    return one.record.epochs if name == "epochs" else one.metric(name)


def _best(values: Sequence[float | None], way: str, counts: bool = True) -> list[bool]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not counts or len(set(known)) < 2:
        return [False] * len(values)
    best = max(known) if way == MAXIMIZE else min(known)
    return [value == best for value in values]


def _difference(shown: Snapshot, before: Seen, after: Seen) -> dict[str, Any]:
    """Where the genomes of two trials differ."""
    made: dict[str, Any] = {
        "before": before.record.number,
        "after": after.record.number,
        "text": textdiff(before.record.genome or "", after.record.genome or ""),
        "graph": None,
        "pictures": None,
        "trouble": None,
    }
    try:
        diff = graphdiff(_genome(before), _genome(after))
    except (genome.GenomeError, SourceError, Missing) as error:
        return {**made, "trouble": " ".join(str(error).split())}
    above = link.compare(shown.name, ())
    numbers = f"{before.record.number}-{after.record.number}"
    pictures = [f"{above}/{numbers}/{side}/picture.svg" for side in ("before", "after")] if above else None
    return {**made, "graph": diff._asdict(), "is_same": not diff, "pictures": pictures}


def _genome(one: Seen) -> Genome:
    if one.record.genome is None:
        raise Missing(f"no genome was kept of trial {one.record.number}")
    return genome.loads(one.record.genome, path=f"trial {one.record.number}")
