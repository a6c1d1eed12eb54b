"""Trials read from the tables of Optuna's storage by SQL, for readers such as the dashboard.

Reading rows takes a fifth of the time of reading Optuna's objects, and does not import Optuna, which takes a second.
The tables are those of Optuna's schema v3.2.0.a (since Optuna 3.2; `optuna/storages/_rdb/models.py`). Parameters,
intermediate values and heartbeats are not read. SQLite files are opened read-only.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from search.errors import StudyError
from search.storage.connect import connecting, reading_query, reason_of, sqlite_file, without_password
from search.storage.ledger import Entry, Sums, read_entries, read_sums
from search.storage.ledger_table import TABLE

if TYPE_CHECKING:
    import sqlalchemy

SCHEMA = "v3.2.0.a"
FINITE, INFINITE = "FINITE", {"INF_POS": math.inf, "INF_NEG": -math.inf}
CONSTRAINTS = (
    "constraints"  # system attribute that holds all constraints, or the prefix of one attribute for each
)

Query = Callable[[str], Sequence[Sequence[Any]]]
"""Runs an SQL query and returns its rows."""


class State(Enum):
    """Optuna's state of a trial."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"

    def is_finished(self) -> bool:
        return self not in (State.RUNNING, State.WAITING)


class TrialRow(NamedTuple):
    """A trial; the fields have Optuna's names. Times are local times of this machine, without time zone."""

    number: int
    state: State
    values: Sequence[float] | None
    datetime_start: datetime | None
    datetime_complete: datetime | None
    user_attrs: Mapping[str, Any]
    constraints: Mapping[str, float]


@contextmanager
def open_tables(url: str, lock_seconds: float) -> Iterator[Query]:
    """Open a storage and yield a function that runs queries; an SQLite file is read as it is at one moment.

    Raises StudyError where the storage does not exist, cannot be read within `lock_seconds`, or has other tables.
    """
    file = sqlite_file(url)
    if file is None:
        opened = _server(url)
    elif file.is_file():
        opened = _file(f"{file.absolute().as_uri()}?{reading_query(file)}", lock_seconds)
    else:
        raise StudyError(f"there is no storage {without_password(url)}")
    with _as_sentences(url), opened as ask:
        _check_schema(url, ask)
        yield ask


def study_ids(ask: Query) -> dict[str, int]:
    """Return Optuna's key of every study of a storage, by name."""
    return {name: key for key, name in ask("SELECT study_id, study_name FROM studies")}


def study_attrs(ask: Query, study: int) -> dict[str, Any]:
    """Return the user attributes of a study."""
    rows = ask(f"SELECT a.key, a.value_json FROM study_user_attributes a WHERE a.study_id = {study}")
    return {key: json.loads(value) for key, value in rows}


def ledger_sums(ask: Query, url: str, study: int) -> Sums:
    """Return what the ledger of a study sums up to; nothing where an earlier version made the study."""
    return read_sums(ask, study) if _has_ledger(ask, url) else Sums({}, ())


def ledger_entries(ask: Query, url: str, study: int) -> list[Entry]:
    """Return the rows of the ledger of a study, the oldest first; none where an earlier version made the study."""
    return read_entries(ask, study) if _has_ledger(ask, url) else []


def _has_ledger(ask: Query, url: str) -> bool:
    if sqlite_file(url) is None:
        return bool(ask(f"SELECT to_regclass('{TABLE}') IS NOT NULL")[0][0])
    return bool(ask(f"SELECT count(*) FROM sqlite_master WHERE name = '{TABLE}'")[0][0])


def count(ask: Query, study: int) -> int:
    """Return the number of trials of a study."""
    return int(ask(f"SELECT count(*) FROM trials t WHERE t.study_id = {study}")[0][0])


def has_params(ask: Query, study: int) -> bool:
    """Return whether some trial of a study has a parameter."""
    found = ask(
        "SELECT count(*) FROM (SELECT 1 FROM trial_params p JOIN trials t ON t.trial_id = p.trial_id "
        f"WHERE t.study_id = {study} LIMIT 1) x"
    )
    return bool(found[0][0])


def read(ask: Query, study: int, known: Mapping[int, TrialRow]) -> dict[int, TrialRow]:
    """Return the trials of a study that are not in `known`, or had not ended there, by Optuna's key."""
    trials = count(ask, study)
    unfinished = [key for key, row in known.items() if not row.state.is_finished()]
    among = [f"t.trial_id > {max(known, default=-1)}"]
    among += [f"t.trial_id IN ({', '.join(map(str, unfinished))})"] if unfinished else []
    found = _read(ask, f"t.study_id = {study} AND ({' OR '.join(among)})")
    if len(known.keys() | found.keys()) < trials:
        # on a server, transactions may commit in another order than that of the keys
        found = _read(ask, f"t.study_id = {study}")
    return found


def _read(ask: Query, where: str) -> dict[int, TrialRow]:
    """Read the trials of a condition. States come first: all rows of an ended trial were written before its state."""
    trials = ask(
        "SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete "
        f"FROM trials t WHERE {where} ORDER BY t.number"
    )
    attrs = _attributes(ask, "trial_user_attributes", where)
    constraints = _attributes(
        ask,
        "trial_system_attributes",
        f"{where} AND substr(a.key, 1, {len(CONSTRAINTS)}) = '{CONSTRAINTS}'",
    )
    values = _values(ask, where)
    return {
        key: TrialRow(
            number,
            State[state],
            values.get(key),
            _local_time(start),
            _local_time(complete),
            attrs.get(key, {}),
            _constraints(constraints.get(key, {})),
        )
        for key, number, state, start, complete in trials
    }


def _attributes(ask: Query, table: str, where: str) -> dict[int, dict[str, Any]]:
    rows = ask(
        f"SELECT a.trial_id, a.key, a.value_json FROM {table} a JOIN trials t ON t.trial_id = a.trial_id "
        f"WHERE {where}"
    )
    found: dict[int, dict[str, Any]] = {}
    for key, name, value in rows:
        found.setdefault(key, {})[name] = json.loads(value)
    return found


def _values(ask: Query, where: str) -> dict[int, list[float]]:
    """Return the values of each trial, in the order of the objectives."""
    rows = ask(
        "SELECT v.trial_id, v.value, v.value_type FROM trial_values v JOIN trials t ON t.trial_id = v.trial_id "
        f"WHERE {where} ORDER BY v.trial_id, v.objective"
    )
    found: dict[int, list[float]] = {}
    for key, value, kind in rows:
        found.setdefault(key, []).append(value if kind == FINITE else INFINITE[kind])
    return found


def _constraints(attrs: Mapping[str, Any]) -> dict[str, float]:
    """Return the constraints among system attributes: a list, as older versions of Optuna stored, or one by one."""
    listed = {str(i): value for i, value in enumerate(attrs.get(CONSTRAINTS) or [])}
    named = {key[len(CONSTRAINTS) + 1 :]: value for key, value in attrs.items() if key != CONSTRAINTS}
    return {**listed, **named}


def _local_time(moment: str | datetime | None) -> datetime | None:
    """Convert a stored time, which is in UTC, to the local time of this machine."""
    if moment is None:
        return None
    stored = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return stored.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


@contextmanager
def _file(uri: str, lock_seconds: float) -> Iterator[Query]:
    with closing(sqlite3.connect(uri, uri=True, timeout=lock_seconds, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield lambda query: connection.execute(query).fetchall()


@contextmanager
def _server(url: str) -> Iterator[Query]:
    with _engine(url).connect() as connection:
        yield lambda query: connection.exec_driver_sql(query).all()


@lru_cache(maxsize=1)
def _engine(url: str) -> sqlalchemy.Engine:
    import sqlalchemy

    # queries are rare: a pooled connection would be idle, and the server may have closed it
    return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, connect_args=connecting(url))


def _check_schema(url: str, ask: Query) -> None:
    (found,) = [row[0] for row in ask("SELECT version_num FROM alembic_version")] or [None]
    if found != SCHEMA:
        raise StudyError(
            f"the study's storage {without_password(url)} cannot be read: its tables are those of another Optuna "
            f"({found}; this version reads {SCHEMA})"
        )


@contextmanager
def _as_sentences(url: str) -> Iterator[None]:
    """Raise StudyError, one sentence, where a storage cannot be read: locked, damaged, empty, or with other tables."""
    try:
        yield
    except sqlite3.Error as error:
        raise _unreadable(url, error) from None
    except Exception as error:
        if sqlite_file(url) is None and _is_of_the_storage(error):
            raise _unreadable(url, error) from None
        raise


def _is_of_the_storage(error: Exception) -> bool:
    import sqlalchemy.exc

    return isinstance(error, sqlalchemy.exc.SQLAlchemyError | ImportError)


def _unreadable(url: str, error: Exception) -> StudyError:
    reason = reason_of(url, error)
    if "alembic_version" in reason:  # the first table that is read does not exist
        reason = "it is empty, or no study was begun in it"
    return StudyError(f"the study's storage {without_password(url)} cannot be read ({reason})")
