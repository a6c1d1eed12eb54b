"""The studies that the dashboard shows: those of a folder of runs, or all that one storage holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from search.config.read import parse_study
from search.config.schema import NAME
from search.config.study import stored_study
from search.dashboard.studies.background import BackgroundTask
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.study_attrs import StudyAttrs
from search.dashboard.studies.trial_view import TrialView, trial_view
from search.errors import StudyError
from search.storage import sql_reader
from search.storage.connect import sqlite_file
from search.storage.lock import is_held
from search.storage.seed_results import OverSeeds, over_seeds
from search.storage.store import TEXT_ATTR, check_format

LOCK_SECONDS = 2.0  # a page says that a storage is locked rather than to wait for long
SETTLED_SECONDS = 2.0  # what was written so long ago has another time than whatever is written next

Brief = dict[str, Any]
Told = TypeVar("Told")


class NotFound(LookupError):
    """There is nothing of that name; the message is one sentence."""


class StillReading(Exception):
    """A study is being read for the first time, and this takes longer than the caller would wait."""


class Library:
    """Opens a study when it is first asked for; of its trials, those that were not over are read again.

    `patience` is how many seconds a caller waits for a study that was never read; None waits for as long as it takes.
    """

    def __init__(self, runs: Path, url: str | None = None) -> None:
        self.runs, self.url = runs, url
        self._open: dict[str, StudyReader] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Return the names of all studies. Raises StudyError where the storage cannot be read."""
        if self.url is None:
            return sorted(file.parent.name for file in self.runs.glob("*/study.db"))
        with sql_reader.asking(self.url, LOCK_SECONDS) as ask:
            return sorted(sql_reader.study_ids(ask))

    def snapshot(self, name: str, patience: float | None = None) -> Snapshot:
        """Return a study as it is now. Raises Missing, BeingRead, or StudyError where it cannot be read."""
        return self._of(name, lambda reading: reading.shown(patience))

    def brief(self, name: str, make: Callable[[Snapshot], Brief], patience: float | None = None) -> Brief:
        """Return what `make` says of a study; a study that rests is not read again for it. Raises as `snapshot`."""
        return self._of(name, lambda reading: reading.brief(make, patience))

    def _of(self, name: str, ask: Callable[[StudyReader], Told]) -> Told:
        reading = self._reading(name)
        try:
            return ask(reading)
        except NotFound:
            with self._lock:
                if self._open.get(name) is reading:
                    del self._open[name]
            raise

    def _reading(self, name: str) -> StudyReader:
        with self._lock:
            known = self._open.get(name)
            # it was never asked for, or its file is gone, or another file has its place
            if known is None or known.is_gone():
                known = self._open[name] = StudyReader(name, self)
            return known


class StudyReader:
    """A study of a library, and what was read of it last."""

    def __init__(self, name: str, library: Library) -> None:
        self.name, self.runs, self.library = name, library.runs, library
        self.url = library.url or f"sqlite:///{library.runs / name / 'study.db'}"
        self._mark: tuple[int, ...] | None = None
        self._id: int | None = None
        self._rows: dict[int, sql_reader.Row] = {}
        self._known: dict[int, tuple[sql_reader.Row, OverSeeds | None, TrialView]] = {}
        self._last: Snapshot | None = None
        self._text = ""
        self._brief: tuple[Stamp, Brief] | None = None
        self._is_shown = False
        self._first = BackgroundTask(self.snapshot)
        self._lock = Lock()

    def is_gone(self) -> bool:
        """Whether the file that was read is no longer in its place."""
        return self._mark is not None and self._mark != _mark(self.url)

    def shown(self, patience: float | None) -> Snapshot:
        """Return the study as it is now, and keep its trials for the next time."""
        self._is_shown = True
        self._wait(patience)
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """Return the study as it is now: the same object where nothing has changed."""
        with self._lock:
            return self._now()

    def brief(self, make: Callable[[Snapshot], Brief], patience: float | None) -> Brief:
        """Return what `make` says of it. It stays, and the trials go, where nobody looks at them and nobody writes."""
        stamp = self._stamp()
        if stamp is not None and self._brief is not None and self._brief[0] == stamp:
            return self._brief[1]
        self._wait(patience)
        said = make(self.snapshot())
        if stamp is not None:
            self._brief = stamp, said
            if not self._is_shown:
                self._let_go()
        return said

    def _wait(self, patience: float | None) -> None:
        """Wait until it was read once. Raises BeingRead, or what went wrong."""
        if self._last is None and patience is not None and not self._first.is_done(patience):
            raise StillReading(f"study {self.name} is being read")

    def _let_go(self) -> None:
        with self._lock:
            self._rows, self._known, self._last = {}, {}, None

    def _now(self) -> Snapshot:
        attrs = self._read()
        text, file = attrs[TEXT_ATTR], self._last.file if self._last else None
        if file is None or text != self._text:
            file, self._text = parse_study(text, f"{self.name} as begun"), text
        is_new = self._take(over_seeds(attrs)) or file is not (self._last and self._last.file)
        is_running = self._is_running()
        study_attrs = StudyAttrs.of_attrs(attrs)
        is_new |= is_running != (self._last and self._last.is_running)
        if self._last is None or is_new or study_attrs != self._last.attrs:
            shown = tuple(self._known[key][2] for key in sorted(self._known))
            folder = self.runs / self.name if NAME.fullmatch(self.name) else None
            self._last = Snapshot(self.name, file, shown, is_running, folder, study_attrs, self._run_began())
        return self._last

    def _read(self) -> dict[str, Any]:
        """Read what may have changed; returns what is kept of the study itself."""
        if self.library.url is None and self.name not in self.library.names():
            raise NotFound(f"there is no study {self.name}")
        mark = _mark(self.url)
        with sql_reader.asking(self.url, LOCK_SECONDS) as ask:
            study = self._found(ask)
            attrs = sql_reader.study_attrs(ask, study)
            check_format(attrs, self.name)
            if TEXT_ATTR not in attrs:
                raise StudyError(
                    f"study {self.name} does not say yet what it is; it begins this moment, or was killed so"
                )
            self._rows |= sql_reader.read(ask, study, self._rows)
        self._mark = mark
        return attrs

    def _found(self, ask: sql_reader.Ask) -> int:
        """Optuna's key of the study; one of that name that was begun anew is read anew."""
        found = sql_reader.study_ids(ask).get(self.name)
        if found is None and self.library.url is not None:
            raise NotFound(f"there is no study {self.name}")
        if found is None:
            raise StudyError(f"the storage holds no study {self.name}; start it with `genome search`")
        if found != self._id:
            self._rows, self._known, self._id = {}, {}, found
        return found

    def _take(self, finales: Mapping[int, OverSeeds]) -> bool:
        """Take in what was read; whether something of it is new."""
        is_new = False
        for row in self._rows.values():
            finale, known = finales.get(row.number), self._known.get(row.number)
            if known is not None and known[1] == finale and (known[0] is row or known[0] == row):
                continue
            self._known[row.number] = row, finale, trial_view(row, finale)
            is_new = True
        return is_new

    def _is_running(self) -> bool:
        """Whether a coordinator lives: it holds the lock of an embedded study, or writes to a shared one."""
        file = sqlite_file(self.url)
        if file is not None:
            return _is_held(file)
        return any(one.is_in_hand for _, _, one in self._known.values())

    def _run_began(self) -> float | None:
        """When a coordinator took the lock of an embedded study, last; in unix seconds."""
        file = sqlite_file(self.url)
        lock = file and file.with_name(file.name + ".lock")
        return lock.stat().st_mtime if lock and lock.is_file() else None

    def _stamp(self) -> Stamp | None:
        """What changes with any write; None where nothing tells, or where somebody writes at present."""
        file = sqlite_file(self.url)
        if file is None or _is_held(file):
            return None
        made = tuple(_file_stamp(one) for one in (file, file.with_name(file.name + "-wal")))
        newest = max((one.changed for one in made if one is not None), default=0) / 1e9
        return made if time.time() - newest > SETTLED_SECONDS else None


class FileStamp(NamedTuple):
    """Which file it is, how large, and when it was written to, in unix nanoseconds."""

    device: int
    node: int
    size: int
    changed: int


Stamp = tuple[FileStamp | None, ...]


def _file_stamp(file: Path) -> FileStamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return FileStamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _mark(url: str) -> tuple[int, ...] | None:
    """What tells the file of an embedded storage from another in its place; None where there is no file."""
    file = sqlite_file(url)
    if file is None:
        return ()
    found = _file_stamp(file)
    return (found.device, found.node) if found else None


def _is_held(file: Path) -> bool:
    return is_held(file.with_name(file.name + ".lock"))
