"""Known: what the trials of a study have taught one coordinator, each taken into account once."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from search.config.study import StudyFile
from search.proposals.history import Past
from search.proposals.screening import Sieve
from search.run import tell
from search.run.admission import Opening
from search.run.paused import Paused
from search.run.pruning import Judging
from search.storage.record import UNFINISHED, Record
from search.storage.store import Store


@dataclass
class Known:
    """Hands each trial that is over to all who learn from it. counted: how many of them count towards the cap."""

    file: StudyFile
    store: Store
    past: Past
    judging: Judging
    paused: Paused
    opening: Opening
    sieve: Sieve | None = None
    numbers: set[int] = field(default_factory=set)
    counted: int = 0

    def catch_up(self, in_hand: Container[int] = ()) -> None:
        """Read what is new in the storage: all of it at first, other coordinators' trials later."""
        for record in self.store.records():
            if record.number in self.numbers or record.number in in_hand:
                continue
            if record.outcome not in UNFINISHED:
                self.remember(record)
                self.paused.learn(record)
            elif record.outcome != "waiting":  # of another coordinator
                self.past.add(record)
                self.judging.learn(record)

    def remember(self, record: Record) -> None:
        """Take in a trial that is over."""
        self.numbers.add(record.number)
        self.past.add(record)
        if self.sieve:
            self.sieve.learn(record)
        self.counted += record.is_counted
        if record.digest is None:
            return
        if tell.is_reusable(record, self.file.recipe.epochs):
            self.opening.trained.setdefault(record.digest, record)
        if record.outcome != "interrupted":
            self.judging.learn(record)

    def rested(self, record: Record) -> None:
        """Take in a trial that paused at a rung."""
        self.past.add(record)
        if self.sieve:
            self.sieve.learn(record)
