"""What happened in a study, told from what it stores: trials that began and ended, and trainings of the finale."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from search import formatting, objective
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.run.ownership import process
from search.storage.ledger import EARLIER, FINALE, SEARCH, Entry

MOST = 200  # newest events that are shown


class Event(NamedTuple):
    """One event."""

    at: datetime  # local time
    number: int | None  # of the trial
    outcome: str  # of a trial or training that ended; running where it began; empty for anything else
    says: str


def events(
    snapshot: Snapshot, entries: Sequence[Entry], number: int | None = None
) -> tuple[list[Event], int]:
    """Return the newest events, the newest first, and how many there were before these; of one trial by its number."""
    trials = snapshot.trials
    if number is not None:
        trials = tuple(trial for trial in trials if trial.record.number == number)
    rest = [*_of_study(snapshot), *_of_entries(snapshot, entries)]
    kept = [one for one in rest if number is None or one.number == number]
    count = len(kept) + sum((trial.began is not None) + (trial.ended is not None) for trial in trials)
    newest = heapq.nlargest(MOST, [*_of_trials(snapshot, trials), *kept], key=_order)
    return [Event(one.at, one.number, one.outcome, one.tell()) for one in newest], count - len(newest)


class _Untold(NamedTuple):
    """An event whose sentence is not made yet: of thousands, some hundred are told."""

    at: datetime
    number: int | None
    outcome: str
    tell: Callable[[], str]


def _order(event: _Untold) -> tuple[datetime, int]:
    return event.at, -1 if event.number is None else event.number


def _of_study(snapshot: Snapshot) -> Iterator[_Untold]:
    if snapshot.run_began is not None:
        yield _Untold(_local(snapshot.run_began), None, "", lambda: "the last run of the study began")
    if snapshot.attrs.stop_at is not None:
        yield _Untold(_local(snapshot.attrs.stop_at), None, "", lambda: "the search was asked to stop")


def _of_trials(snapshot: Snapshot, trials: Sequence[TrialView]) -> Iterator[_Untold]:
    """The newest events of these trials, enough of them."""
    records, goal = {one.number for one in snapshot.improvements}, snapshot.goal.name
    for at, number, trial in heapq.nlargest(MOST, [(t.began, t.record.number, t) for t in trials if t.began]):
        yield _Untold(at, number, "running", partial(_begin, trial))
    for at, number, trial in heapq.nlargest(MOST, [(t.ended, t.record.number, t) for t in trials if t.ended]):
        told = partial(_end, trial, goal, number in records)
        yield _Untold(at, number, trial.outcome, told)


def _begin(trial: TrialView) -> str:
    origin = trial.record.origin
    if origin is None:
        return "began"
    parts = [f"began, proposed by {origin.by}"]
    parts += [f" from trial {' and '.join(map(str, origin.parents))}"] if origin.parents else []
    parts += [f" ({', '.join(origin.moves)})"] if origin.moves else []
    return "".join(parts)


def _end(trial: TrialView, goal: str, is_best: bool) -> str:
    made = trial.record
    parts = ["ended"]
    value = trial.metric(goal)
    parts += [f"with {goal} {objective.formatted(goal, value)}"] if value is not None else []
    parts += [f"after {formatting.some(made.epochs, 'epoch')}"] if made.epochs is not None else []
    parts += [f"and {formatting.seconds(made.search_seconds)} of device time"] if made.search_seconds else []
    said = " ".join(parts)
    said += ", the best single score until then" if is_best else ""
    return said + (f": {made.reason}" if made.reason else "")


def _of_entries(snapshot: Snapshot, entries: Sequence[Entry]) -> Iterator[_Untold]:
    """The trainings of the finale, and of the search those that went on after a pause."""
    seen = set[int]()
    for one in entries:
        if one.worker == EARLIER:
            continue
        if one.phase == FINALE:
            yield from _of_seed(snapshot, one)
        elif one.phase == SEARCH and one.trial in seen:
            told = partial("goes on, by {} on {}".format, process(one.worker), one.device)
            yield _Untold(_local(one.begun_at), one.trial, "running", told)
        if one.phase == SEARCH:
            seen.add(one.trial)


def _of_seed(snapshot: Snapshot, one: Entry) -> Iterator[_Untold]:
    name = f"seed {one.seed} of the finale"
    yield _Untold(_local(one.begun_at), one.trial, "running", partial("{} began".format, name))
    trial = snapshot.by_number.get(one.trial)
    finale = trial.record.finale if trial else None
    result = finale.seeds.get(one.seed) if finale and one.seed is not None else None
    if one.is_open or result is None or result.outcome == "running":
        return
    goal = snapshot.goal.name
    value = getattr(result, goal, None)
    reached = f" with {goal} {objective.formatted(goal, value)}" if value is not None else ""
    told = partial("{} ended{}".format, name, reached)
    yield _Untold(_local(one.seen_at), one.trial, result.outcome, told)


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds)
