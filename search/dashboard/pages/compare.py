"""The page that compares two to four trials: their costs, learning curves, and the differences of their genomes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import genome
from genome import Genome
from genome.yaml.source import SourceError
from search.dashboard.genomes.graph_diff import graph_diff, picture
from search.dashboard.genomes.text_diff import text_diff
from search.dashboard.pages.epochs import epochs_of
from search.dashboard.pages.study import row
from search.dashboard.pages.trial import trial_of
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.score import Score, scored
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trained_points import WHOLE
from search.dashboard.studies.trial_query import QueryError
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.objective import MAXIMIZE, MEASURES, MINIMIZE

FEWEST, MOST = 2, 4
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
ROWS = (*MEASURES, "epochs", "seconds")
# measures of which a higher value is better, whatever the objectives
HIGHER = tuple(one.name for one in MEASURES.values() if one.directions == (MAXIMIZE,))
NEITHER = ("epochs",)  # no value is better than another


def parse_compared(given: Iterable[tuple[str, str]]) -> tuple[int, ...]:
    """Read the parameters of an address: the numbers of trials, each once. Raises QueryError."""
    numbers = []
    for name, text in given:
        if name != "trial":
            raise QueryError(
                f"{name[:40]!r} is no parameter of this page; the parameter is trial, two to four times"
            )
        if not _NUMBER.fullmatch(text):
            raise QueryError(f"trial is {text[:40]!r}; it may be the number of a trial")
        numbers.append(int(text))
    return tuple(dict.fromkeys(numbers))


def checked(distinct: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of two to four trials. Raises QueryError for more or fewer."""
    if not FEWEST <= len(distinct) <= MOST:
        raise QueryError(f"{len(distinct)} trials are given; choose {FEWEST} to {MOST} to compare")
    return distinct


def parse_pair(text: str) -> tuple[int, int]:
    """Read two numbers of an address, such as 3-12. Raises NotFound."""
    before, _, after = text.partition("-")
    if not (_NUMBER.fullmatch(before) and _NUMBER.fullmatch(after)):
        raise NotFound("there is no such page")
    return int(before), int(after)


def compare_page(snapshot: Snapshot, numbers: Sequence[int]) -> dict[str, Any]:
    """Return the values of the page; the first trial is compared with each other one. Raises NotFound."""
    trials = [trial_of(snapshot, number) for number in numbers]
    return {
        "study": snapshot.name,
        "study_href": links.study(snapshot.name),
        "goal": snapshot.goal.name,
        "href": links.compare(snapshot.name, numbers),
        "trials": [row(snapshot, trial) for trial in trials],
        "costs": _costs(snapshot, trials),
        "curves": [
            {
                "number": trial.record.number,
                "rows": epochs_of(snapshot, trial),
                "rungs": dict(trial.record.rungs),
            }
            for trial in trials
        ],
        "differences": [_difference(snapshot, trials[0], other) for other in trials[1:]],
    }


def difference_picture(snapshot: Snapshot, before: int, after: int, is_after: bool) -> str:
    """Return the picture of one of two trials, its differences from the other trial marked. Raises NotFound."""
    texts = [trial_of(snapshot, number).record.genome for number in (before, after)]
    if None in texts:
        raise NotFound("no genome is stored for one of these trials")
    mine, other = (texts[1], texts[0]) if is_after else (texts[0], texts[1])
    return picture(mine or "", other or "", is_after)


def _costs(snapshot: Snapshot, trials: Sequence[TrialView]) -> list[dict[str, Any]]:
    """A row for each value that some trial has; the best value is marked where not all values are equal."""
    ways = {name: MAXIMIZE if name in HIGHER else MINIMIZE for name in ROWS} | dict(
        snapshot.config.objectives
    )
    goal, scores = snapshot.goal.name, [snapshot.score(trial.record) for trial in trials]
    has_means = any(score and score.seeds > 1 for score in scores)
    made = [_over_seeds(goal, scores, ways[goal])] if has_means else []
    for name in ROWS:
        values = [_value(trial, name) for trial in trials]
        if any(value is not None for value in values):
            is_luck = name == goal and has_means  # the means say which is better
            best = _best(
                _of_whole(trials, values) if name == "seconds" else values,
                ways[name],
                name not in NEITHER and not is_luck,
            )
            title = f"{name} in the search (one score)" if is_luck else name
            made.append({"name": title, "measure": name, "values": values, "best": best})
    return made


def _over_seeds(goal: str, scores: Sequence[Score | None], way: str) -> dict[str, Any]:
    """The row of the means over seeds; a network without one shows its single score, which is no mean to compare."""
    means = [score.value if score and score.seeds > 1 else None for score in scores]
    texts = [scored(score, goal) if score else None for score in scores]
    return {"name": f"{goal} over seeds", "measure": goal, "values": texts, "best": _best(means, way)}


def _value(trial: TrialView, name: str) -> float | None:
    if name == "seconds":  # without the finale: only the best trials have one
        return trial.record.search_seconds
    return trial.record.epochs if name == "epochs" else trial.metric(name)


def _of_whole(trials: Sequence[TrialView], values: Sequence[float | None]) -> list[float | None]:
    """The values of trials that were trained to their end: one that failed early is not the faster."""
    return [value if trial.outcome in WHOLE else None for trial, value in zip(trials, values, strict=True)]


def _best(values: Sequence[float | None], way: str, counts: bool = True) -> list[bool]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not counts or len(set(known)) < 2:
        return [False] * len(values)
    best = max(known) if way == MAXIMIZE else min(known)
    return [value == best for value in values]


def _difference(snapshot: Snapshot, before: TrialView, after: TrialView) -> dict[str, Any]:
    """The differences of the genomes of two trials."""
    made: dict[str, Any] = {
        "before": before.record.number,
        "after": after.record.number,
        "text": text_diff(before.record.genome or "", after.record.genome or ""),
        "graph": None,
        "pictures": None,
        "trouble": None,
    }
    try:
        diff = graph_diff(_genome(before), _genome(after))
    except (genome.GenomeError, SourceError, NotFound) as error:
        return {**made, "trouble": " ".join(str(error).split())}
    above = links.compare(snapshot.name, ())
    numbers = f"{before.record.number}-{after.record.number}"
    pictures = [f"{above}/{numbers}/{side}/picture.svg" for side in ("before", "after")] if above else None
    return {**made, "graph": diff._asdict(), "is_same": not diff, "pictures": pictures}


def _genome(trial: TrialView) -> Genome:
    if trial.record.genome is None:
        raise NotFound(f"no genome is stored for trial {trial.record.number}")
    return genome.loads(trial.record.genome, path=f"trial {trial.record.number}")
