"""Where a study is kept: Optuna's storage, with the study's own text and data digest beside the trials."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from .errors import StudyError
from .lock import hold, holder
from .over_seeds import OneSeed, key, over_seeds
from .record import Record, record

if TYPE_CHECKING:
    import optuna
    import sqlalchemy

FORMAT = 1  # of the attributes that we keep in Optuna's storage
FORMAT_ATTR, TEXT_ATTR, DATA_ATTR = "genome_format", "genome_study", "data_digest"

SETTLE_SECONDS = 5.0  # in which two coordinators that begin a study together see what the other wrote
CONNECT_SECONDS = 10  # in which a server must have answered
PATIENCE_SECONDS, AGAIN_SECONDS = 30.0, 0.5  # that a running search waits for a server that is restarted
LOCK_SECONDS = 60  # how long SQLite waits for a reader, such as `genome best`, to let go


@dataclass(frozen=True)
class Store:
    """An open study: its folder for weights and exports, and Optuna's study for everything else.

    `shared` says that other coordinators may work on it at the same time.
    """

    name: str
    folder: Path
    study: optuna.Study
    shared: bool

    def close(self) -> None:
        """Let go of the database; it is opened again by the next that is asked of it."""
        engine = _engine(self.study)
        if engine is not None:
            engine.dispose()

    def records(self) -> list[Record]:
        """Return every trial of the study, by number."""
        finales = over_seeds(self.study.user_attrs)
        return [record(t, finales.get(t.number)) for t in self.study.get_trials(deepcopy=False)]

    def keep_seed(self, number: int, seed: int, one: OneSeed) -> None:
        """Keep how far the finale has come with a trial's network and one seed."""
        self.study.set_user_attr(key(number, seed), one.to_json())

    def spent_seconds(self) -> float:
        """Return the device seconds charged so far, over all trials and coordinators."""
        return sum(r.seconds for r in self.records())

    def trial_folder(self, number: int) -> Path:
        """Return the folder of one trial's genome, weights and report."""
        return self.folder / "trials" / str(number)

    def seed_folder(self, number: int, seed: int) -> Path:
        """Return the folder of what the finale made of a trial's network with one seed."""
        return self.trial_folder(number) / "seeds" / str(seed)


class Claim(NamedTuple):
    """The right to run a study: where its folder and its storage are, and whether others have it too."""

    name: str
    folder: Path
    url: str
    shared: bool


@contextmanager
def claim(name: str, runs: Path, url: str | None) -> Iterator[Claim]:
    """Hold a study's lock while the block runs: an embedded one (SQLite) has one coordinator.

    A study on a database server has no lock: any number work on it. Raises StudyError when it is held.
    """
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    file = sqlite_file(url) if url else folder / "study.db"
    if file is None:
        yield Claim(name, folder, str(url), shared=True)
        return
    with hold(file.with_name(file.name + ".lock"), f"study {name}"):
        yield Claim(name, folder, f"sqlite:///{file}", shared=False)


def coordinate(claimed: Claim, directions: Sequence[str], identity: Mapping[str, Any]) -> Store:
    """Open a claimed study, made when it is not there yet; a new one keeps `identity`.

    Raises StudyError when its storage cannot be used, or has a study of that name with other directions.
    """
    if not claimed.shared:
        _use_write_ahead_log(Path(claimed.url.removeprefix("sqlite:///")))
    with reading(claimed.url, "used"):
        study = _open(claimed.name, claimed.url, directions, identity)
    if claimed.shared and (engine := _engine(study)) is not None:
        be_patient(engine)
    return Store(claimed.name, claimed.folder, study, claimed.shared)


def look(name: str, runs: Path, url: str | None = None) -> Store:
    """Open an existing study to read it, also while it is being run. Raises StudyError where there is none."""
    return _found(name, runs, url, lambda place: _storage(place, makes_tables=False))


@contextmanager
def writing(name: str, runs: Path, url: str | None = None, lock_seconds: float = 2.0) -> Iterator[Store]:
    """Open an existing study to write a little to it, also while it is being run; nothing is made that is not there.

    Raises StudyError where there is none, and where it cannot be written: locked for longer than `lock_seconds`,
    read-only, damaged, or an SQLite file that is run on another machine, which would spoil it.
    """
    file = sqlite_file(url) if url else runs / name / "study.db"
    place = url or f"sqlite:///{file}"
    if file is not None:
        _check_machine(name, file)
    with reading(place, "written"):
        if file is not None and file.is_file():
            _check_writable(file, lock_seconds)
        opened: list[optuna.storages.RDBStorage] = []

        def open_it(given: str) -> optuna.storages.RDBStorage:
            opened.append(storage_to_write(given, lock_seconds))
            return opened[0]

        try:
            store = _found(name, runs, url, open_it)
            check_format(store.study.user_attrs, name)
            yield store
        finally:
            for one in opened:
                one.engine.dispose()


def _check_machine(name: str, file: Path) -> None:
    """Refuse to write into an SQLite file that another machine writes: its log is no file that two can share."""
    held = holder(file.with_name(file.name + ".lock"))
    if held is not None and held.host not in ("", socket.gethostname()):
        raise StudyError(f"study {name} is being run by {held.said}; it can be changed on that machine alone")


def _check_writable(file: Path, lock_seconds: float) -> None:
    """Raise as a write would, but soon: Optuna tries again for long. It begins one, and takes it back."""
    import sqlalchemy.exc

    try:
        connection = sqlite3.connect(file, timeout=lock_seconds, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise sqlalchemy.exc.DatabaseError(None, None, error) from None


def _found(
    name: str, runs: Path, url: str | None, opened: Callable[[str], optuna.storages.BaseStorage]
) -> Store:
    import optuna

    folder = runs / name
    file = sqlite_file(url) if url else folder / "study.db"
    if file is not None and not file.is_file():
        raise StudyError(f"no study {name} in {runs}{_known(runs)}; name its folder with --runs")
    place = url or f"sqlite:///{file}"
    with reading(place):
        try:
            study = optuna.load_study(study_name=name, storage=opened(place))
        except KeyError:
            raise StudyError(f"the storage holds no study {name}; start it with `genome search`") from None
    return Store(name, folder, study, shared=file is None)


@contextmanager
def reading(url: str, done: str = "read") -> Iterator[None]:
    """Turn every way in which a storage cannot be read, or written, into a sentence: locked, damaged, empty, of other
    tables."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        said = first_line(cause if isinstance(cause, Exception) else error)
        if "no such table" in said:
            said = "it is empty, or no study was begun in it"
        raise StudyError(f"the study's storage {without_password(url)} cannot be {done} ({said})") from None


def check_format(attrs: Mapping[str, Any], name: str) -> None:
    """Raise StudyError unless these attributes were written by a version that this one can go on from."""
    if FORMAT_ATTR not in attrs:
        raise StudyError(f"the storage has a study {name} that `genome search` did not make; rename yours")
    if attrs[FORMAT_ATTR] != FORMAT:
        raise StudyError(
            f"study {name} was kept in format {attrs[FORMAT_ATTR]} and this version reads format {FORMAT}; "
            "use the version that began it, or rename the study"
        )


def _open(name: str, url: str, directions: Sequence[str], identity: Mapping[str, Any]) -> optuna.Study:
    import optuna
    from optuna.study import StudyDirection

    storage = _storage(url)
    names = optuna.get_all_study_names(storage)
    # load_if_exists is for the race of two coordinators on a server; directions are compared below
    asked = [StudyDirection[direction.upper()] for direction in directions]
    study = optuna.create_study(study_name=name, storage=storage, directions=asked, load_if_exists=True)
    if name not in names:
        for key, value in {FORMAT_ATTR: FORMAT, **identity}.items():
            study.set_user_attr(key, value)
    _wait_for_identity(study, shared=not url.startswith("sqlite"))
    check_format(study.user_attrs, name)
    found = [direction.name.lower() for direction in study.directions]
    if found != list(directions):
        raise StudyError(
            f"study {name} has the directions {', '.join(found)} in its storage and "
            f"{', '.join(directions)} in its file; put the objectives back, or rename the study"
        )
    return study


def _wait_for_identity(study: optuna.Study, shared: bool) -> None:
    """Give another coordinator, which made the study this moment, the time to write what it is."""
    limit = time.monotonic() + (SETTLE_SECONDS if shared else 0.0)
    while FORMAT_ATTR not in study.user_attrs and time.monotonic() < limit:
        time.sleep(0.1)


def _storage(url: str, makes_tables: bool = True) -> optuna.storages.BaseStorage:
    """Return Optuna's storage at a URL; every way in which it cannot be opened is one sentence.

    Who only looks makes no tables: a study that begins this moment makes its own, and two would be in each other's way.
    """
    import optuna

    # the layer that optuna.create_study would put around a URL: finished trials are read once
    return optuna.storages.get_storage(_opened(url, url, LOCK_SECONDS, makes_tables))


def storage_to_write(url: str, lock_seconds: float) -> optuna.storages.RDBStorage:
    """Return Optuna's storage at a URL, where nothing is made that is not there."""
    file = sqlite_file(url)
    # quoted twice: SQLAlchemy undoes it once, SQLite once more
    place = url if file is None else f"sqlite:///file:{quote(quote(str(file)))}?mode=rw&uri=true"
    return _opened(place, url, lock_seconds, makes_tables=False)


def _opened(place: str, url: str, lock_seconds: float, makes_tables: bool) -> optuna.storages.RDBStorage:
    """Open the storage at `place`; complaints speak of `url`."""
    import optuna
    import sqlalchemy.exc
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    connect = {"timeout": lock_seconds} if url.startswith("sqlite") else connecting(url)
    options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": connect}
    if sqlite_file(url) is None and not makes_tables:
        options = {
            "poolclass": NullPool,
            "connect_args": connect,
        }  # who looks now and then holds no connection
    try:
        try:
            return optuna.storages.RDBStorage(place, options, skip_table_creation=not makes_tables)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            time.sleep(1.0)  # another coordinator makes the tables this moment
            return optuna.storages.RDBStorage(place, options, skip_table_creation=not makes_tables)
    except ImportError as error:
        mend = "pip install 'genome-nas[postgres]'" if url.startswith("postgresql") else "pip"
        raise StudyError(
            f"storage: {without_password(url)} needs a driver ({first_line(error)}); install it with `{mend}`"
        ) from None
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise StudyError(
            f"storage: {without_password(url)} cannot be used ({first_line(error)}); "
            "give a database URL such as postgresql://user@host/name, or leave it out"
        ) from None
    except RuntimeError as error:  # tables of another version of Optuna
        raise StudyError(
            f"the study's storage {without_password(url)} cannot be read by this Optuna ({first_line(error)})"
        ) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise StudyError(
            f"the study's storage {without_password(url)} cannot be opened ({first_line(error)})"
        ) from None


def connecting(url: str) -> dict[str, Any]:
    """Return what a driver is told when it connects to a server: one that does not answer is not there."""
    is_ours = url.startswith("postgresql") and "connect_timeout" not in url
    return {"connect_timeout": CONNECT_SECONDS} if is_ours else {}


def be_patient(engine: sqlalchemy.Engine) -> None:
    """Have connecting tried again for a while, so that a search outlives a restart of its server."""
    import sqlalchemy

    left = PATIENCE_SECONDS

    def connect(dialect: Any, record: Any, args: Any, settings: Any) -> Any:
        nonlocal left
        while True:
            try:
                made = dialect.connect(*args, **settings)
            except dialect.dbapi.OperationalError:
                if left <= 0:
                    raise
                left -= AGAIN_SECONDS
                time.sleep(AGAIN_SECONDS)
            else:
                left = PATIENCE_SECONDS
                return made

    sqlalchemy.event.listen(engine, "do_connect", connect)


def _engine(study: optuna.Study) -> sqlalchemy.Engine | None:
    """Return what connects a study to its database, from under the layer that reads finished trials once."""
    storage: Any = study._storage
    return getattr(getattr(storage, "_backend", storage), "engine", None)


def sqlite_file(url: str | None) -> Path | None:
    """Return the file of an SQLite URL, or None for a database server."""
    if url is None or not url.startswith("sqlite"):
        return None
    return Path(url.partition(":///")[2].partition("?")[0])


def _use_write_ahead_log(file: Path) -> None:
    """Let readers look at the study while it is written; SQLite remembers the mode in the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(file, timeout=LOCK_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StudyError(
            f"{file} cannot be used as a study's storage ({error}); move it away to begin afresh"
        ) from None


def _known(runs: Path) -> str:
    names = sorted(file.parent.name for file in runs.glob("*/study.db"))
    return f" (it has {', '.join(names[:8])})" if names else ""


def without_password(url: str) -> str:
    """Return a storage's URL as it may be shown."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + re.split("[?&]", rest.rpartition("@")[2])[0]  # a query may have one, too


def first_line(error: Exception) -> str:
    """Return what a database says is wrong, without what it adds."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
