"""The studies that the dashboard shows: those of a folder of runs, or all that one storage holds."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from search.errors import StudyError
from search.lock import is_held
from search.over_seeds import OverSeeds, over_seeds
from search.record import UNFINISHED
from search.recovery import SILENT_SECONDS
from search.store import TEXT_ATTR, Store, check_format, glance, reading, sqlite_file, study_names
from search.study_file import stored_study
from search.written import NAME

from .hands import Hands
from .seen import Seen, seen
from .snapshot import Snapshot

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOCK_SECONDS = 2.0  # a page says that a storage is locked rather than to wait for long


class Missing(LookupError):
    """There is nothing of that name; the message is one sentence."""


class Library:
    """Opens a study when it is first asked for; of its trials, those that were not over are read again."""

    def __init__(self, runs: Path, url: str | None = None) -> None:
        self.runs, self.url = runs, url
        self._open: dict[str, tuple[tuple[int, ...] | None, Reading]] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Return the names of all studies. Raises StudyError where the storage cannot be read."""
        if self.url is not None:
            return sorted(study_names(self.url, LOCK_SECONDS))
        return sorted(file.parent.name for file in self.runs.glob("*/study.db"))

    def snapshot(self, name: str) -> Snapshot:
        """Return a study as it is now. Raises Missing, or StudyError where it cannot be read."""
        return self._reading(name).snapshot()

    def _reading(self, name: str) -> Reading:
        with self._lock:
            mark, known = self._open.get(name, (None, None))
            if known is not None and mark is not None and mark == _mark(known.url):
                return known
            # it was never asked for, or its file is gone, or another file has its place
            self._open.pop(name, None)
            if name not in self.names():
                raise Missing(f"there is no study {name}")
            url = self.url or f"sqlite:///{self.runs / name / 'study.db'}"
            made = Reading(glance(name, self.runs, self.url, LOCK_SECONDS), url)
            self._open[name] = _mark(url), made
            return made


class Reading:
    """An open study, and what was read of it last."""

    def __init__(self, store: Store, url: str) -> None:
        self.store, self.url = store, url
        self._known: dict[int, tuple[FrozenTrial, OverSeeds | None, Seen]] = {}
        self._last: Snapshot | None = None
        self._text = ""
        self._lock = Lock()

    def snapshot(self) -> Snapshot:
        """Return the study as it is now: the same object where nothing has changed."""
        with self._lock, reading(self.url):
            attrs, trials = self._read()
            text, file = attrs[TEXT_ATTR], self._last.file if self._last else None
            if file is None or text != self._text:
                file, self._text = stored_study(text, f"{self.store.name} as begun"), text
            is_new = self._take(trials, over_seeds(attrs)) or file is not (self._last and self._last.file)
            is_running = self._is_running()
            hands = Hands.of_attrs(attrs)
            is_new |= is_running != (self._last and self._last.is_running)
            if self._last is None or is_new or hands != self._last.hands:
                shown = tuple(known for _, _, known in self._known.values())
                name = self.store.name
                folder = self.store.folder if NAME.fullmatch(name) else None
                self._last = Snapshot(name, file, shown, is_running, folder, hands, self._run_began())
            return self._last

    def _read(self) -> tuple[dict[str, Any], list[FrozenTrial]]:
        try:
            attrs = self.store.study.user_attrs
            check_format(attrs, self.store.name)
            if TEXT_ATTR not in attrs:
                raise StudyError(
                    f"study {self.store.name} does not say yet what it is; it begins this moment, or was killed so"
                )
            return attrs, self.store.study.get_trials(deepcopy=False)
        except KeyError:
            raise StudyError(f"study {self.store.name} is no longer in its storage") from None

    def _take(self, trials: list[FrozenTrial], finales: dict[int, OverSeeds]) -> bool:
        """Take in what was read; whether something of it is new."""
        is_new = len(trials) != len(self._known)
        for trial in trials:
            finale, known = finales.get(trial.number), self._known.get(trial.number)
            if known is not None and known[1] == finale and (known[0] is trial or known[0] == trial):
                continue
            self._known[trial.number] = trial, finale, seen(trial, finale)
            is_new = True
        return is_new

    def _is_running(self) -> bool:
        """Whether a coordinator lives: it holds the lock of an embedded study, or writes to a shared one."""
        file = sqlite_file(self.url)
        if file is not None:
            return is_held(file.with_name(file.name + ".lock"))
        limit = time.time() - SILENT_SECONDS
        unfinished = (one for _, _, one in self._known.values() if one.record.outcome in UNFINISHED)
        return any(one.sign is not None and one.sign > limit for one in unfinished)

    def _run_began(self) -> float | None:
        """When a coordinator took the lock of an embedded study, last; in unix seconds."""
        file = sqlite_file(self.url)
        lock = file and file.with_name(file.name + ".lock")
        return lock.stat().st_mtime if lock and lock.is_file() else None


def _mark(url: str) -> tuple[int, ...] | None:
    """What tells the file of an embedded storage from another in its place; None where there is no file."""
    file = sqlite_file(url)
    if file is None:
        return ()
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
