"""Retention: the weights that the rule of a study does not keep are removed, and what a kill left lying around."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from search.config.keep import Keep
from search.formatting import size, some
from search.objective import Objective
from search.results.ranking import as_found, front, ranking
from search.run.context import Context
from search.run.ownership import Heartbeats, owner
from search.storage.charge_file import delete_charge
from search.storage.place import Place
from search.storage.record import UNFINISHED, Record
from search.storage.study import Store
from search.storage.trial_files import delete_temporary
from search.workers.checkpoints import delete_checkpoint
from search.workers.ray_mark import marks


@dataclass
class Retention:
    """Removes weights during one run, after a trial has ended.

    Trials that have not ended are never looked at, and neither are the trainings of the finale. A trial that has ended
    is compared with those that are kept so far: no other can be better.
    """

    run: Context
    # by number, the trials whose weights are kept so far
    rivals: dict[int, Record] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)  # the trials that have ended
    trials: int = 0  # whose weights were removed
    bytes: int = 0

    def sweep(self) -> None:
        """Remove the weights that are not kept among all trials that have ended, those of other coordinators too."""
        keep = self.run.config.keep
        if keep is None or keep.rest:
            return
        ended = [
            r for r in self.run.history.records() if r.number not in self.seen and r.outcome not in UNFINISHED
        ]
        self.seen |= {r.number for r in ended}
        self.rivals |= {r.number: r for r in ended}
        for number in set(self.rivals) - kept(list(self.rivals.values()), self.run.config.objectives, keep):
            del self.rivals[number]
            freed = self.run.store.place(number).remove_weights(str(keep))
            self.trials, self.bytes = self.trials + (freed > 0), self.bytes + freed

    def told(self) -> str:
        """Return what was removed, empty where nothing was."""
        if not self.trials:
            return ""
        return f"removed the weights of {some(self.trials, 'trial')}, {size(self.bytes)}, by {self.run.config.keep}"


def kept(records: Sequence[Record], objectives: Sequence[Objective], keep: Keep) -> set[int]:
    """Return the numbers of the trials whose weights a rule keeps, those of the best and of the finale in any case."""
    if keep.rest:
        return {r.number for r in records}
    best = front(records, objectives)
    ranked = as_found(records, objectives) if len(objectives) == 1 else ranking(records, objectives, keep.top)
    retrained = [r for r in records if r.finale]
    return {r.number for r in (*best[: None if keep.front else 1], *ranked[: keep.top], *retrained)}


def tidy(store: Store) -> None:
    """Delete what a killed process left: the checkpoints and temporary files of trials that have ended, its mark.

    The checkpoint of an interrupted trial stays as long as the trial that retries it has not ended.
    """
    records = {record.number: record for record in store.records()}
    needed = set(_resumed(records.values(), records))
    for number, record in records.items():
        folder = store.trial_folder(number)
        if record.outcome not in UNFINISHED and number not in needed and folder.exists():
            delete_checkpoint(Place(folder))
            delete_charge(folder)
            delete_temporary(folder)
    beats = Heartbeats.of(store)
    for mark, owned_by in marks(store.folder).items():
        if owned_by != owner() and beats.is_abandoned(owned_by, None):
            mark.unlink(missing_ok=True)


def _resumed(trials: Iterable[Record], records: dict[int, Record]) -> Iterable[int]:
    """Yield the trials whose checkpoint may still be resumed, by number: unfinished ones, and those that they retry."""
    for trial in trials:
        at: Record | None = trial if trial.outcome in UNFINISHED else None
        while at is not None:
            yield at.number
            at = None if at.retry_of is None else records.get(at.retry_of)
