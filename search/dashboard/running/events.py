"""What happened in a study, told from what it stores: trials that began and ended, and trainings of the finale."""

from __future__ import annotations

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
    found = [*_of_study(snapshot), *_of_trials(snapshot), *_of_entries(snapshot, entries)]
    kept = [one for one in found if number is None or one.number == number]
    kept.sort(key=lambda one: (one.at, one.number if one.number is not None else -1), reverse=True)
    newest = [Event(one.at, one.number, one.outcome, one.tell()) for one in kept[:MOST]]
    return newest, len(kept) - len(newest)


class _Untold(NamedTuple):
    """An event whose sentence is not made yet: of thousands, some hundred are told."""

    at: datetime
    number: int | None
    outcome: str
    tell: Callable[[], str]


def _of_study(snapshot: Snapshot) -> Iterator[_Untold]:
    if snapshot.run_began is not None:
        yield _Untold(_local(snapshot.run_began), None, "", lambda: "the last run of the study began")
    if snapshot.attrs.stop_at is not None:
        yield _Untold(_local(snapshot.attrs.stop_at), None, "", lambda: "the search was asked to stop")


def _of_trials(snapshot: Snapshot) -> Iterator[_Untold]:
    records = {one.number for one in snapshot.improvements}
    for trial in snapshot.trials:
        if trial.began is not None:
            yield _Untold(trial.began, trial.record.number, "running", partial(_begin, trial))
        if trial.ended is not None:
            is_best = trial.record.number in records
            told = partial(_end, snapshot, trial, is_best)
            yield _Untold(trial.ended, trial.record.number, trial.outcome, told)


def _begin(trial: TrialView) -> str:
    origin = trial.record.origin
    if origin is None:
        return "began"
    parts = [f"began, proposed by {origin.by}"]
    parts += [f" from trial {' and '.join(map(str, origin.parents))}"] if origin.parents else []
    parts += [f" ({', '.join(origin.moves)})"] if origin.moves else []
    return "".join(parts)


def _end(snapshot: Snapshot, trial: TrialView, is_best: bool) -> str:
    made, goal = trial.record, snapshot.goal.name
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
