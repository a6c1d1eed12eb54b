"""Reading one study from its storage, again and again: values that cannot change are read once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from search.config.checks import NAME
from search.config.read import parse_study
from search.dashboard.studies.background import BackgroundTask
from search.dashboard.studies.errors import NoStudy, StillReading
from search.dashboard.studies.file_stamp import StorageStamp, file_identity, storage_stamp
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.study_attrs import StudyAttrs
from search.dashboard.studies.trial_view import TrialView, trial_view
from search.errors import StudyError
from search.storage import sql_reader
from search.storage.connect import sqlite_file, sqlite_url
from search.storage.data_facts import FACTS_ATTR, with_stored_shape
from search.storage.ledger import Entry, Sums
from search.storage.lock import is_held, lock_of
from search.storage.record import OWNER
from search.storage.seed_results import SeedResults, read_seed_results
from search.storage.study import TEXT_ATTR, check_format

LOCK_SECONDS = 2.0  # after which a page reports that a storage is locked

Summary = dict[str, Any]


class Stored(NamedTuple):
    """What is stored of a trial."""

    row: sql_reader.TrialRow
    finale: SeedResults | None
    charged: float | None  # what the ledger has of it, without its finale
    seen_at: float | None  # the last heartbeat of the coordinator that runs it


class StudyReader:
    """Reads one study and keeps what it read last."""

    def __init__(self, name: str, runs: Path, url: str | None, is_stored: Callable[[], bool] | None) -> None:
        """Prepare to read the study `name` of the storage at `url`, or of its own folder in `runs` where that is None.

        `is_stored` tells for the latter whether the study still has its folder.
        """
        self.name, self._runs, self._is_shared = name, runs, url is not None
        self._url = url or sqlite_url(runs / name / "study.db")
        self._is_stored = is_stored
        self._identity: tuple[int, ...] | None = None  # of the file that was read
        self._id: int | None = None  # Optuna's key of the study
        self._rows: dict[int, sql_reader.TrialRow] = {}
        self._known: dict[int, tuple[Stored, TrialView]] = {}
        self._sums = Sums({}, ())
        self._last: Snapshot | None = None
        self._stored: tuple[str, Any] = ("", None)  # text of the study, facts of its images
        self._summary: tuple[StorageStamp, Summary] | None = None
        self._stamp: StorageStamp | None = None  # of what `_last` was read from
        self._is_shown = False  # whether a page of the study was asked for
        self._first = BackgroundTask(self.snapshot)
        self._lock = Lock()

    def is_gone(self) -> bool:
        """Return whether the file that was read is no longer in its place."""
        return self._identity is not None and self._identity != file_identity(self._url)

    def shown(self, patience: float | None) -> Snapshot:
        """Return the study as it is now, and keep its trials in memory for the next page."""
        self._is_shown = True
        self._wait(patience)
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """Return the study as it is now: the same object where nothing has changed."""
        with self._lock:
            return self._now()

    def entries(self) -> list[Entry]:
        """Return the rows of the study's ledger as they are now, the oldest first."""
        with self._lock, sql_reader.open_tables(self._url, LOCK_SECONDS) as ask:
            return sql_reader.ledger_entries(ask, self._url, self._find_key(ask))

    def summary(self, make: Callable[[Snapshot], Summary], patience: float | None) -> Summary:
        """Return what `make` makes of the study. The summary stays valid while nobody writes to the storage.

        The trials are dropped from memory where no page of the study was asked for.
        """
        stamp = storage_stamp(self._url)
        if stamp is not None and self._summary is not None and self._summary[0] == stamp:
            return self._summary[1]
        self._wait(patience)
        summary = make(self.snapshot())
        if stamp is not None:
            self._summary = stamp, summary
            if not self._is_shown:
                self._drop_trials()
        return summary

    def _wait(self, patience: float | None) -> None:
        """Wait until the study was read once. Raises StillReading, or the error of reading."""
        if self._last is None and patience is not None and not self._first.is_done(patience):
            raise StillReading(f"study {self.name} is being read")

    def _drop_trials(self) -> None:
        with self._lock:
            self._rows, self._known, self._last = {}, {}, None

    def _now(self) -> Snapshot:
        if self._is_stored is not None and not self._is_stored():
            raise NoStudy(f"there is no study {self.name}")
        stamp = storage_stamp(self._url)
        if self._last is None or self._last.is_running or stamp is None or stamp != self._stamp:
            self._last, self._stamp = self._changed(), stamp
        return self._last

    def _changed(self) -> Snapshot:
        """Read what has changed; return the last snapshot where nothing has."""
        attrs = self._read()
        stored, config = (attrs[TEXT_ATTR], attrs.get(FACTS_ATTR)), self._last.config if self._last else None
        if config is None or stored != self._stored:
            config = with_stored_shape(parse_study(stored[0], f"{self.name} as begun"), attrs)
            self._stored = stored
        is_new = self._take(_finales(attrs, self._sums)) or config is not (self._last and self._last.config)
        is_running = self._is_running()
        study_attrs = StudyAttrs.of_attrs(attrs)
        is_new |= is_running != (self._last and self._last.is_running)
        is_new |= self._last is not None and self._sums != self._last.sums  # also a heartbeat is news
        if self._last is None or is_new or study_attrs != self._last.attrs:
            known = [self._known[key][1] for key in sorted(self._known)]
            trials = tuple(known if is_running else map(TrialView.left, known))
            folder = self._runs / self.name if NAME.fullmatch(self.name) else None
            began = self._run_began()
            return Snapshot(self.name, config, trials, is_running, folder, study_attrs, began, self._sums)
        return self._last

    def _read(self) -> dict[str, Any]:
        """Read the trials that may have changed, and return the attributes of the study."""
        identity = file_identity(self._url)
        with sql_reader.open_tables(self._url, LOCK_SECONDS) as ask:
            study = self._find_key(ask)
            attrs = sql_reader.study_attrs(ask, study)
            check_format(attrs, self.name)
            if TEXT_ATTR not in attrs:
                raise StudyError(
                    f"study {self.name} has no metadata yet: it is just starting, or was killed while starting"
                )
            self._rows |= sql_reader.read(ask, study, self._rows)
            self._sums = sql_reader.ledger_sums(ask, self._url, study)
        self._identity = identity
        return attrs

    def _find_key(self, ask: sql_reader.Query) -> int:
        """Optuna's key of the study; a study that was deleted and started anew is read anew."""
        found = sql_reader.study_ids(ask).get(self.name)
        if found is None and self._is_shared:
            raise NoStudy(f"there is no study {self.name}")
        if found is None:
            raise StudyError(f"the storage holds no study {self.name}; start it with `genome search`")
        if found != self._id:
            self._rows, self._known, self._id = {}, {}, found
        return found

    def _take(self, finales: Mapping[int, SeedResults]) -> bool:
        """Make views of the trials that were read; return whether a trial has changed."""
        is_new, seen = False, self._sums.heartbeats()
        for row in self._rows.values():
            known = self._known.get(row.number)
            seen_at = None if row.state.is_finished() else seen.get(row.user_attrs.get(OWNER, ""))
            charged = self._sums.charges.get((row.number, None))
            stored = Stored(row, finales.get(row.number), charged, seen_at)
            if known is not None and known[0] == stored:
                continue
            self._known[row.number] = stored, trial_view(*stored)
            is_new = True
        return is_new

    def _is_running(self) -> bool:
        """Whether a coordinator is alive: it holds the lock of an SQLite storage, or has a trial on a shared one."""
        file = sqlite_file(self._url)
        if file is not None:
            return is_held(lock_of(file, self.name))
        return any(trial.is_active(time.time()) for _, trial in self._known.values())

    def _run_began(self) -> float | None:
        """Unix seconds at which a coordinator last took the lock of an SQLite storage."""
        file = sqlite_file(self._url)
        lock = file and lock_of(file, self.name)
        return lock.stat().st_mtime if lock and lock.is_file() else None


def _finales(attrs: Mapping[str, Any], sums: Sums) -> dict[int, SeedResults]:
    """Return the results of the finale; a seed that is trained shows a heartbeat by the metering of its charge."""
    seen, found = sums.heartbeats(), read_seed_results(attrs, sums.charges)
    for number, results in found.items():
        seeds = {
            seed: one._replace(seen_at=max(one.seen_at or 0.0, seen.get(one.owner or "", 0.0)))
            if one.outcome == "running" and one.owner
            else one
            for seed, one in results.seeds.items()
        }
        found[number] = replace(results, seeds=seeds)
    return found
