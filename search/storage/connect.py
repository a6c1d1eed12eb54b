"""Optuna's storage at a database URL: opened to look, to write or to search; what fails is said in one sentence."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from search.errors import StudyError

if TYPE_CHECKING:
    import optuna
    import sqlalchemy

    from search.storage.transactions import DatabaseStorage

CONNECT_SECONDS = 10  # in which a server must have answered
PATIENCE_SECONDS, AGAIN_SECONDS = 30.0, 0.5  # that a running search waits for a server that is restarted
LOCK_SECONDS = 60  # how long SQLite waits for a reader, such as `genome best`, to let go


def open_storage(url: str, makes_tables: bool = True) -> optuna.storages.BaseStorage:
    """Return Optuna's storage at a URL; every way in which it cannot be opened is one sentence.

    Who only looks makes no tables: a study that begins this moment makes its own, and two would be in each other's way.
    """
    import optuna

    # the layer that optuna.create_study would put around a URL: finished trials are read once
    return optuna.storages.get_storage(_open(url, url, LOCK_SECONDS, makes_tables))


def storage_to_write(url: str, lock_seconds: float) -> DatabaseStorage:
    """Return Optuna's storage at a URL, where nothing is made that is not there."""
    file = sqlite_file(url)
    # quoted twice: SQLAlchemy undoes it once, SQLite once more
    place = url if file is None else f"sqlite:///file:{quote(quote(str(file)))}?mode=rw&uri=true"
    return _open(place, url, lock_seconds, makes_tables=False)


def _open(place: str, url: str, lock_seconds: float, makes_tables: bool) -> DatabaseStorage:
    """Open the storage at `place`; complaints speak of `url`."""
    import optuna
    import sqlalchemy.exc

    from search.storage.transactions import DatabaseStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = _options(url, lock_seconds, makes_tables)
    try:
        try:
            return DatabaseStorage(place, options, skip_table_creation=not makes_tables)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            time.sleep(1.0)  # another coordinator makes the tables this moment
            return DatabaseStorage(place, options, skip_table_creation=not makes_tables)
    except ImportError as error:
        is_ours = url.startswith("postgresql")
        mend = "`pip install 'genome-nas[postgres]'`" if is_ours else "pip install and its name"
        raise StudyError(
            f"storage: {without_password(url)} needs a driver ({first_line(error)}); install it with {mend}"
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


def _options(url: str, lock_seconds: float, keeps_connections: bool) -> dict[str, Any]:
    """Return what SQLAlchemy is told: who looks at a server now and then holds no connection to it."""
    from sqlalchemy.pool import NullPool

    if sqlite_file(url) is not None:
        return {"pool_pre_ping": True, "connect_args": {"timeout": lock_seconds}}
    pool: dict[str, Any] = {"pool_pre_ping": True} if keeps_connections else {"poolclass": NullPool}
    return {**pool, "connect_args": connecting(url)}


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


def connecting(url: str) -> dict[str, Any]:
    """Return what a driver is told when it connects to a server: one that does not answer is not there."""
    is_ours = url.startswith("postgresql") and "connect_timeout" not in url
    return {"connect_timeout": CONNECT_SECONDS} if is_ours else {}


def use_write_ahead_log(file: Path) -> None:
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


def check_writable(file: Path, lock_seconds: float) -> None:
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


def sqlite_file(url: str | None) -> Path | None:
    """Return the file of an SQLite URL, or None for a database server."""
    if url is None or not url.startswith("sqlite"):
        return None
    return Path(url.partition(":///")[2].partition("?")[0])


def without_password(url: str) -> str:
    """Return a storage's URL as it may be shown."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + re.split("[?&]", rest.rpartition("@")[2])[0]  # a query may have one, too


def first_line(error: Exception) -> str:
    """Return what a database says is wrong, without what it adds."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
