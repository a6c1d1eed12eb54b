"""Optuna's storage at a database URL: opened to read, to write or to search; every failure is one sentence."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from search.errors import StudyError

if TYPE_CHECKING:
    import optuna

    from search.storage.transactions import DatabaseStorage

CONNECT_SECONDS = 10  # in which a server must answer
FIXED = "mode=ro&immutable=1"  # query of SQLite for a file that does not change
DISK_ERRORS = ("disk I/O error", "disk is full")  # of SQLite, which say nothing of what the file holds
LOCK_SECONDS = 60  # that SQLite waits for a reader, such as `genome best`, to release its lock


def open_storage(url: str, makes_tables: bool = True) -> optuna.storages.BaseStorage:
    """Return Optuna's storage at a URL. Raises StudyError, one sentence, where it cannot be opened.

    A reader makes no tables: the run of a new study makes them, and two processes that make them would collide.
    """
    import optuna

    file, place = sqlite_file(url), url
    if file is not None and not makes_tables:
        place = uri_url(file, reading_query(file))
    # with the cache that optuna.create_study puts around a URL, which reads finished trials once
    return optuna.storages.get_storage(_open(place, url, LOCK_SECONDS, makes_tables))


def storage_to_write(url: str, lock_seconds: float) -> DatabaseStorage:
    """Return Optuna's storage at a URL. A file or table that does not exist is not made."""
    file = sqlite_file(url)
    place = url if file is None else uri_url(file, "mode=rw")
    return _open(place, url, lock_seconds, makes_tables=False)


def _open(place: str, url: str, lock_seconds: float, makes_tables: bool) -> DatabaseStorage:
    """Open the storage at `place`. Error messages name `url`."""
    import optuna
    import sqlalchemy.exc

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = _options(url, lock_seconds, makes_tables)
    place = place.replace("{", "{{").replace("}", "}}")  # Optuna formats it as a template
    try:
        try:
            return _checked(place, options, makes_tables)
        except (
            sqlalchemy.exc.IntegrityError,
            sqlalchemy.exc.ProgrammingError,
            sqlalchemy.exc.OperationalError,
        ):
            if not makes_tables:
                raise
            time.sleep(1.0)  # another coordinator is making the tables
            return _checked(place, options, makes_tables)
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


def _checked(place: str, options: dict[str, Any], makes_tables: bool) -> DatabaseStorage:
    """Return the storage at `place`. Raises RuntimeError where its tables are those of another version of Optuna."""
    from search.storage.transactions import DatabaseStorage

    storage = DatabaseStorage(
        place, options, skip_compatibility_check=True, skip_table_creation=not makes_tables
    )
    if storage.get_current_version() == storage.get_head_version():
        return storage
    storage.engine.dispose()
    # Optuna's own check says what is wrong
    return DatabaseStorage(place, options, skip_table_creation=not makes_tables)


def _options(url: str, lock_seconds: float, keeps_connections: bool) -> dict[str, Any]:
    """Return the options of SQLAlchemy's engine. A reader, which queries a server rarely, keeps no connection open."""
    from sqlalchemy.pool import NullPool

    if sqlite_file(url) is not None:
        return {"pool_pre_ping": True, "connect_args": {"timeout": lock_seconds}}
    pool: dict[str, Any] = {"pool_pre_ping": True} if keeps_connections else {"poolclass": NullPool}
    return {**pool, "connect_args": connecting(url)}


@contextmanager
def reading(url: str, done: str = "read") -> Iterator[None]:
    """Raise StudyError, one sentence, where a storage cannot be used: it is locked, damaged, empty or has other tables.

    done: what the error says cannot be done, such as "written".
    """
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        reason = reason_of(url, cause if isinstance(cause, Exception) else error)
        if "no such table" in reason:
            reason = "it is empty, or no study was begun in it"
        raise StudyError(f"the study's storage {without_password(url)} cannot be {done} ({reason})") from None


def connecting(url: str) -> dict[str, Any]:
    """Return the arguments with which a driver connects to a server; they set a timeout."""
    is_ours = url.startswith("postgresql") and "connect_timeout" not in url
    return {"connect_timeout": CONNECT_SECONDS} if is_ours else {}


def use_write_ahead_log(file: Path) -> None:
    """Let readers read the study while it is written; SQLite stores this mode in the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(file, timeout=LOCK_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
    except sqlite3.Error as error:
        is_of_disk = any(word in str(error) for word in DISK_ERRORS)
        mend = "see that its disk has room" if is_of_disk else "move the file away to start a new study"
        raise StudyError(f"{file} cannot be used as a study's storage ({error}); {mend}") from None


def check_writable(file: Path, lock_seconds: float) -> None:
    """Raise the error of a write, without the long retries of Optuna: begin a write and roll it back."""
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
    """Return the file of an SQLite URL, also of one that names the file by a URI; None for a database server."""
    if url is None or not url.startswith("sqlite"):
        return None
    named, _, query = url.partition(":///")[2].partition("?")
    path = unquote(named)
    return Path(url2pathname(urlsplit(path).path) if "uri=true" in query.split("&") else path)


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file: what a URL would read as something else, such as % and ?, is quoted."""
    return f"sqlite:///{quote(file.as_posix(), safe='/:')}"


def uri_url(file: Path, query: str) -> str:
    """Return the URL of an SQLite file with a query for SQLite."""
    # quoted twice: SQLAlchemy unquotes once, SQLite once more
    return f"sqlite:///{quote(file.absolute().as_uri())}?{query}&uri=true"


def reading_query(file: Path) -> str:
    """Return the query with which SQLite opens a file to read it. It writes nothing and removes no log of a run."""
    return FIXED if is_fixed(file) else "mode=ro"


def is_fixed(file: Path) -> bool:
    """Whether SQLite must take a file not to change: this process may not write it, and there is no log to read.

    In a folder of several users, a log that a reader makes would belong to the reader, and shut the owner out.
    """
    file = file.resolve()
    if os.access(file.parent, os.W_OK) and os.access(file, os.W_OK):
        return False
    log = log_of(file)
    has_log = log.exists() and (log.stat().st_size > 0 or file.with_name(file.name + "-shm").exists())
    return not has_log


def log_of(file: Path) -> Path:
    """Return the write-ahead log of an SQLite file: beside the file itself where `file` is a link."""
    file = file.resolve()
    return file.with_name(file.name + "-wal")


def without_password(url: str) -> str:
    """Return the URL of a storage without user, password and query; that of a file names the file as it is."""
    if (file := sqlite_file(url)) is not None:
        return f"sqlite:///{file}"
    scheme, mark, rest = url.partition("://")
    return scheme + mark + re.split("[?&]", rest.rpartition("@")[2])[0]  # a query may hold a password, too


def first_line(error: Exception) -> str:
    """Return the first line of the message of a database error."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def reason_of(url: str, error: Exception) -> str:
    """Return the first line of the message of a database error, and what helps where SQLite does not say why."""
    reason, file = first_line(error), sqlite_file(url)
    if file is None or "unable to open database file" not in reason or not log_of(file).exists():
        return reason
    return (
        f"{reason}: its write-ahead log {log_of(file).name} can be read only in a folder that this user may write; "
        "copy the folder of the study to such a place"
    )
