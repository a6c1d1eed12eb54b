"""A study that grows each time that it has ended, so that it runs as long as something disturbs it."""

from __future__ import annotations

import subprocess
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks._soak_again import TRACEBACK, Again
from benchmarks._soak_kills import PATIENCE_SECONDS, Before, Found, judged, killed
from benchmarks._soak_study import NAME, written
from search.results.exported import load_export
from search.storage.record import Record
from search.storage.study import BEST, open_to_read
from tests.command import Command

TRIALS = 4  # by which it grows
FINALE = {
    "share": 0.2,
    "top": 2,
}  # with one seed more each time: a search may find no better network any more
STATUSES = (0, 2)  # of a command: it went on to its end, or said why not
MOST_REFUSED = 5  # a study that does not go on any more ends the part
SAID_BYTES = 2000  # of a command that ends badly, shown


class Ends(NamedTuple):
    """How the commands of a study ended, and what is left of it."""

    # commands that ended by what disturbed them, with a sentence
    ended: int
    # commands that ended with a traceback, or without a sentence
    tracebacks: int
    # commands that ended although nothing disturbed them
    refused: int
    # trials whose network is blamed
    failed: int
    found: Found


class Growing:
    """A study that grows each time that it has ended, and its command."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        """changes: keys of the study's file."""
        self._folder, self._changes, self._size = folder, changes, 1
        self._before = Before()
        self._ended = self._tracebacks = self._refused = 0
        self._is_disturbed = False  # in the present run
        self._again = Again(self._grown(), folder)

    @property
    def command(self) -> Command:
        return self._again.now

    @property
    def has_ended(self) -> bool:
        return self.command.poll() is not None

    def disturb(self) -> None:
        """Note that the present run may end with a sentence."""
        self._is_disturbed = True

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the command; return whether it came."""
        with suppress(subprocess.TimeoutExpired):
            self.command.wait(seconds)
        return self.has_ended

    def retry(self) -> None:
        """Give the command again when it has ended, while what disturbs it lasts."""
        self._note()
        self._again.begin()

    def kill(self, rng: Random) -> None:
        """Kill the command with all of its processes, and give it again."""
        if killed(self.command, "the whole group", rng):
            self._again.begin()

    def go_on(self) -> None:
        """Give the command again when it has ended and nothing disturbs it; a study at its end grows."""
        if self._end() == 0:
            self._size += 1
            self._grown()
        self._again.begin()

    def finish(self) -> list[Record]:
        """Run the study to its end, and return its trials. Raises StudyError where its export cannot be read."""
        self.command.wait(PATIENCE_SECONDS)
        while self._end() != 0:
            self._again.begin()
            self.command.wait(PATIENCE_SECONDS)
        load_export(self._folder / "runs" / NAME / BEST)
        with closing(open_to_read(NAME, self._folder / "runs")) as store:
            return store.records()

    def ends(self) -> Ends:
        """Return what is left; call it when the study is at its end."""
        with closing(open_to_read(NAME, self._folder / "runs")) as store:
            records, spent = store.records(), store.spent_seconds()
        found = judged(records, spent, self._folder, {}, self._before, 0)
        failed = [one for one in records if one.outcome == "failed"]
        for one in failed:
            print(f"  trial {one.number} failed: {one.reason}", flush=True)
        return Ends(self._ended, self._tracebacks, self._refused, len(failed), found)

    def close(self) -> None:
        self._again.close()

    def _end(self) -> int:
        """Compare what is stored when the command has ended, and return its status."""
        status = self._note()
        assert self._refused <= MOST_REFUSED, "the command does not go on although nothing disturbs it"
        self._is_disturbed = False
        self._before.compare(self._folder, None)
        return status

    def _note(self) -> int:
        """Note how the command ended."""
        status, said = self.command.wait(), self._again.said()
        is_bad = status not in STATUSES or TRACEBACK in said
        is_refused = status != 0 and not self._is_disturbed
        if is_bad or is_refused:
            print(f"  status {status}\n{said[-SAID_BYTES:].decode()}", flush=True)
        self._ended += status != 0
        self._tracebacks += is_bad
        self._refused += is_refused
        return status

    def _grown(self) -> Path:
        finale = {**FINALE, "seeds": self._size}
        return written(self._folder, None, trials=self._size * TRIALS, finale=finale, **self._changes)
