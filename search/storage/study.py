"""The storage of a study: Optuna's database, with the text of the study and the digest of its data, and a folder."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from search.errors import StudyError
from search.storage.artifacts import ARTIFACTS_ATTR, Artifacts
from search.storage.connect import (
    check_writable,
    open_storage,
    reading,
    sqlite_file,
    sqlite_url,
    storage_to_write,
    use_write_ahead_log,
)
from search.storage.damage import check_whole, damage_of
from search.storage.ledger import Ledger
from search.storage.lock import hold, holder, lock_of, writable
from search.storage.place import Place
from search.storage.record import Record, record
from search.storage.seed_results import SeedResult, SeedResults, read_seed_results, seed_key

if TYPE_CHECKING:
    import optuna

FORMAT = 1  # of the attributes in Optuna's storage
TRIALS, BEST = "trials", "best"  # in the folder of a study
FORMAT_ATTR, TEXT_ATTR, DATA_ATTR = "genome_format", "genome_study", "data_digest"

IDENTITY_SECONDS = 5.0  # in which a coordinator that makes a study stores the study's identity


@dataclass(frozen=True)
class Store:
    """An open study."""

    name: str
    # of weights and exports
    folder: Path
    # everything else
    study: optuna.Study
    # whether other coordinators may work on the study at the same time
    shared: bool
    # where all machines reach weights and checkpoints; None where each machine has its own
    artifacts: Artifacts | None = None

    @cached_property
    def ledger(self) -> Ledger:
        """The charges of the study."""
        from search.storage.transactions import database_storage

        return Ledger(database_storage(self.study), self.study._study_id)

    def close(self) -> None:
        """Close the connections to the database; the next query opens a connection again."""
        from search.storage.transactions import database_storage

        database_storage(self.study).engine.dispose()

    def records(self) -> list[Record]:
        """Return every trial of the study, by number."""
        with damage_of(self.name):
            charges = self.ledger.charges()
            finales = read_seed_results(self.study.user_attrs, charges)
            trials = self.study.get_trials(deepcopy=False)
            return [record(t, finales.get(t.number), charges.get((t.number, None))) for t in trials]

    def seed_results(self) -> dict[int, SeedResults]:
        """Return the results of the finale, by the number of the trial."""
        return read_seed_results(self.study.user_attrs, self.ledger.charges())

    def store_seed(self, number: int, seed: int, result: SeedResult) -> None:
        """Store the result of retraining the network of a trial with one seed."""
        self.study.set_user_attr(seed_key(number, seed), result.to_json())

    def spent_seconds(self) -> float:
        """Return the device seconds charged so far, over all trials and coordinators."""
        return sum(r.seconds for r in self.records())

    def trial_folder(self, number: int) -> Path:
        """Return the folder of one trial's genome, weights and report."""
        return self.folder / TRIALS / str(number)

    def seed_folder(self, number: int, seed: int) -> Path:
        """Return the folder of a trial's network, retrained in the finale with one seed."""
        return self.trial_folder(number) / "seeds" / str(seed)

    def place(self, number: int, seed: int | None = None) -> Place:
        """Return the place of the files of one trial, or of one seed of it in the finale."""
        folder = self.trial_folder(number) if seed is None else self.seed_folder(number, seed)
        return Place(folder, self.artifacts)


class Claim(NamedTuple):
    """The right to run a study."""

    name: str
    folder: Path
    # of the storage
    url: str
    # whether other coordinators may run the study at the same time
    shared: bool


@contextmanager
def claim(name: str, runs: Path, url: str | None) -> Iterator[Claim]:
    """Hold the lock of a study while the block runs: an embedded study (SQLite) has one coordinator.

    Other studies in the same file have other locks, and run beside it.

    A study on a database server has no lock and any number of coordinators. Raises StudyError where the lock is held,
    and where the study cannot be written.
    """
    folder = runs / name
    with writable(f"study {name}", folder):
        folder.mkdir(parents=True, exist_ok=True)
    file = sqlite_file(url) if url else folder / "study.db"
    if file is None:
        yield Claim(name, folder, str(url), shared=True)
        return
    with hold(lock_of(file, name), f"study {name}"):
        with writable(f"study {name}", file.parent):
            if file.is_file() and not os.access(file, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        yield Claim(name, folder, sqlite_url(file), shared=False)


def open_to_run(claimed: Claim, directions: Sequence[str], identity: Mapping[str, Any]) -> Store:
    """Open a claimed study to run it. A study that does not exist is made, with the attributes in `identity`.

    Raises StudyError where the storage cannot be used, or has a study of that name with other directions.
    """
    if (file := sqlite_file(claimed.url)) is not None:
        if file.is_file():
            check_whole(file, claimed.name)
        use_write_ahead_log(file)
    with reading(claimed.url, "used"), damage_of(claimed.name):
        study, is_new = _open(claimed, directions, identity)
        store = Store(claimed.name, claimed.folder, study, claimed.shared)
        store.ledger.make(is_new)
    return store


def open_to_read(name: str, runs: Path, url: str | None = None) -> Store:
    """Open an existing study to read it, also while it is running. Raises StudyError where it does not exist."""
    return _found(name, runs, url, lambda place: open_storage(place, makes_tables=False))


@contextmanager
def open_to_write(
    name: str, runs: Path, url: str | None = None, lock_seconds: float = 2.0
) -> Iterator[Store]:
    """Open an existing study to write a few attributes or trials, also while it is running; no file or table is made.

    Raises StudyError where the study does not exist or cannot be written: locked for longer than `lock_seconds`,
    read-only, damaged, or an SQLite file of a study that runs on another machine, where a write would damage the file.
    """
    place = url or sqlite_url(runs / name / "study.db")
    file = sqlite_file(place)
    if file is not None:
        _check_machine(name, file)
    with reading(place, "written"):
        if file is not None and file.is_file():
            check_writable(file, lock_seconds)
        opened: list[optuna.storages.RDBStorage] = []

        def open_it(given: str) -> optuna.storages.RDBStorage:
            opened.append(storage_to_write(given, lock_seconds))
            return opened[0]

        try:
            store = _found(name, runs, url, open_it)
            check_format(store.study.user_attrs, name)
            yield store
        finally:
            for storage in opened:
                storage.engine.dispose()


def _check_machine(name: str, file: Path) -> None:
    """Refuse to write to an SQLite file that another machine writes: two machines cannot share its write-ahead log."""
    held = holder(lock_of(file, name))
    if held is not None and held.host not in ("", socket.gethostname()):
        raise StudyError(
            f"study {name} is being run by {held.description}; it can be changed on that machine only"
        )


def _found(
    name: str, runs: Path, url: str | None, opened: Callable[[str], optuna.storages.BaseStorage]
) -> Store:
    import optuna

    folder = runs / name
    place = url or sqlite_url(folder / "study.db")
    file = sqlite_file(place)
    if file is not None and not file.is_file():
        raise StudyError(f"no study {name} in {runs}{_known(runs)}; name its folder with --runs")
    if file is not None:
        check_whole(file, name)
    with reading(place), damage_of(name):
        try:
            study = optuna.load_study(study_name=name, storage=opened(place))
        except KeyError:
            raise StudyError(f"the storage holds no study {name}; start it with `genome search`") from None
    url = study.user_attrs.get(ARTIFACTS_ATTR)
    return Store(name, folder, study, file is None, Artifacts(url, str(folder)) if url else None)


def check_format(attrs: Mapping[str, Any], name: str) -> None:
    """Raise StudyError unless these attributes of a study are in the format of this version."""
    if FORMAT_ATTR not in attrs:
        raise StudyError(f"the storage has a study {name} that `genome search` did not make; rename yours")
    if attrs[FORMAT_ATTR] != FORMAT:
        raise StudyError(
            f"study {name} was stored in format {attrs[FORMAT_ATTR]} and this version reads format {FORMAT}; "
            "use the version that made the study, or rename the study"
        )


def _open(
    claimed: Claim, directions: Sequence[str], identity: Mapping[str, Any]
) -> tuple[optuna.Study, bool]:
    """Return the study, and whether it is new."""
    import optuna
    from optuna.study import StudyDirection

    name, storage = claimed.name, open_storage(claimed.url)
    if claimed.shared:
        from search.storage.transactions import backend

        backend(storage).be_patient()
    is_new = name not in optuna.get_all_study_names(storage)
    if is_new and (old := [one for one in (TRIALS, BEST) if (claimed.folder / one).exists()]):
        raise StudyError(
            f"{claimed.folder} has the {' and '.join(old)} of a study that is not in its storage, which is lost, empty "
            "or another one; put the storage back, or move the folder away"
        )
    # load_if_exists: another coordinator may make the study at the same time; directions are compared below
    wanted = [StudyDirection[direction.upper()] for direction in directions]
    study = optuna.create_study(study_name=name, storage=storage, directions=wanted, load_if_exists=True)
    if not is_new:
        _wait_for_identity(study, shared=claimed.shared)
    if is_new or _is_half_made(study, identity):
        # the format is the last: a study that has it is whole
        for key, value in {**identity, FORMAT_ATTR: FORMAT}.items():
            study.set_user_attr(key, value)
    check_format(study.user_attrs, name)
    found = [direction.name.lower() for direction in study.directions]
    if found != list(directions):
        raise StudyError(
            f"study {name} has the directions {', '.join(found)} in its storage and "
            f"{', '.join(directions)} in its file; put the objectives back, or rename the study"
        )
    return study, is_new


def _wait_for_identity(study: optuna.Study, shared: bool) -> None:
    """Wait until another coordinator, which is making the study, has stored the identity of the study."""
    limit = time.monotonic() + (IDENTITY_SECONDS if shared else 0.0)
    while FORMAT_ATTR not in study.user_attrs and time.monotonic() < limit:
        time.sleep(0.1)


def _is_half_made(study: optuna.Study, identity: Mapping[str, Any]) -> bool:
    """Whether a process was killed while it made the study: nothing is in it but a part of its identity."""
    attrs = study.user_attrs
    return FORMAT_ATTR not in attrs and set(attrs) <= set(identity) and not study.get_trials(deepcopy=False)


def _known(runs: Path) -> str:
    names = sorted(file.parent.name for file in runs.glob("*/study.db"))
    return f" (it has {', '.join(names[:8])})" if names else ""
