"""The studies that the dashboard shows: those in a folder of runs, or all studies of one storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from search.dashboard.studies import reader as study_reader
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.reader import StudyReader, Summary
from search.dashboard.studies.snapshot import Snapshot
from search.storage import sql_reader
from search.storage.ledger import Entry

Answer = TypeVar("Answer")


class Library:
    """Opens a study when it is first asked for, and reads its unfinished trials again for every snapshot.

    The `patience` of a method is the number of seconds that its caller waits for a study that was never read; None
    waits until the study is read.
    """

    def __init__(self, runs: Path, url: str | None = None) -> None:
        self.runs, self.url = runs, url
        self._open: dict[str, StudyReader] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Return the names of all studies. Raises StudyError where the storage cannot be read."""
        if self.url is None:
            return sorted(file.parent.name for file in self.runs.glob("*/study.db"))
        with sql_reader.open_tables(self.url, study_reader.LOCK_SECONDS) as ask:
            return sorted(sql_reader.study_ids(ask))

    def snapshot(self, name: str, patience: float | None = None) -> Snapshot:
        """Return a study as it is now. Raises NotFound, StillReading, or StudyError where it cannot be read."""
        return self._ask(name, lambda reader: reader.shown(patience))

    def entries(self, name: str) -> list[Entry]:
        """Return the rows of the ledger of a study, the oldest first. Raises as `snapshot`."""
        return self._ask(name, lambda reader: reader.entries())

    def summary(
        self, name: str, make: Callable[[Snapshot], Summary], patience: float | None = None
    ) -> Summary:
        """Return what `make` makes of a study; a study that has not changed is not read again. Raises as `snapshot`."""
        return self._ask(name, lambda reader: reader.summary(make, patience))

    def _ask(self, name: str, ask: Callable[[StudyReader], Answer]) -> Answer:
        reader = self._reader(name)
        try:
            return ask(reader)
        except NotFound:
            with self._lock:
                if self._open.get(name) is reader:
                    del self._open[name]
            raise

    def _reader(self, name: str) -> StudyReader:
        with self._lock:
            known = self._open.get(name)
            # the study is new here, or its file was removed or replaced
            if known is None or known.is_gone():
                is_stored = None if self.url is not None else (lambda: name in self.names())
                known = self._open[name] = StudyReader(name, self.runs, self.url, is_stored)
            return known
