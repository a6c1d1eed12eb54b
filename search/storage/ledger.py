"""The ledger of a study: one row for each charge, in a table of its own beside Optuna's, in the same database.

A row is one training of a trial, or of one seed of the finale, by one worker. It is reserved before the training
begins, metered while it runs (several times a second, all rows of a coordinator in one transaction), and settled at its
end. What a killed process had metered stays charged. Studies of earlier versions have no rows for what they charged;
that is read from the attributes of their trials.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from search.storage.ledger_table import TABLE, execute, now_in, table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from search.storage.transactions import DatabaseStorage

T = TypeVar("T")

COLUMNS = "id, trial, seed, phase, worker, device, share, seconds, reserved, begun_at, seen_at, is_open"  # of `Entry`
SCREENING, SEARCH, FINALE = "screening", "search", "finale"  # phases
EARLIER = "an earlier version"  # the worker of what was charged before there was a ledger
LIVE_SECONDS = 15.0  # since the last metering: a row that was metered within them is being spent from

Key: TypeAlias = tuple[int, int | None]  # a trial, and in the finale one seed of it


class Entry(NamedTuple):
    """One charge."""

    id: str
    trial: int
    seed: int | None  # of the finale
    phase: str
    worker: str  # host:pid:start of the coordinator
    device: str
    share: float = 1.0  # device seconds that one second on the slot costs
    seconds: float = 0.0  # device seconds charged
    reserved: float = 0.0  # device seconds that it may still be charged; 0 once it is settled
    begun_at: float = 0.0  # unix seconds, by the clock of the database
    seen_at: float = 0.0  # of the last metering
    is_open: int = 1  # 0 once it is settled

    @property
    def key(self) -> Key:
        return (self.trial, self.seed)


class Spending(NamedTuple):
    """What all workers together have spent, and what others spend now."""

    seconds: float  # of all rows but those of earlier versions
    shares: float  # of the open rows of other workers


class Line(NamedTuple):
    """The charges of one worker on one device in one phase."""

    phase: str
    worker: str
    device: str
    trainings: int
    seconds: float  # charged
    reserved: float  # for trainings that run
    seen_at: float  # unix seconds of the last metering


class Sums(NamedTuple):
    """The charges of a study, summed up."""

    charges: Mapping[Key, float]  # device seconds of each trial and seed that has rows
    lines: tuple[Line, ...]

    def heartbeats(self) -> dict[str, float]:
        """Return when each worker was last seen, in unix seconds by the clock of the database."""
        seen: dict[str, float] = {}
        for line in self.lines:
            seen[line.worker] = max(line.seen_at, seen.get(line.worker, 0.0))
        return seen


def read_sums(ask: Callable[[str], Sequence[Sequence[Any]]], study: int) -> Sums:
    """Sum the rows of a study up, by a function that runs queries."""
    where = f"FROM {TABLE} WHERE study_id = {study}"
    by_key = ask(f"SELECT trial, seed, sum(seconds) {where} GROUP BY trial, seed")
    lines = ask(
        f"SELECT phase, worker, device, count(*), sum(seconds), sum(reserved), max(seen_at) {where} "
        "GROUP BY phase, worker, device ORDER BY min(begun_at), phase, worker, device"
    )
    charges = {(trial, seed): round(float(seconds), 6) for trial, seed, seconds in by_key}
    return Sums(charges, tuple(Line(*line) for line in lines))


def read_entries(ask: Callable[[str], Sequence[Sequence[Any]]], study: int) -> list[Entry]:
    """Return all rows of a study, the oldest first, by a function that runs queries."""
    rows = ask(f"SELECT {COLUMNS} FROM {TABLE} WHERE study_id = {study} ORDER BY begun_at, id")
    return [Entry(*row) for row in rows]


@dataclass(frozen=True)
class Ledger:
    """The charges of one study."""

    storage: DatabaseStorage
    study: int  # Optuna's key of the study
    _seen: set[str] = field(default_factory=set, compare=False)  # the table, once it was found

    def make(self, is_new: bool) -> None:
        """Make the table where there is none. A new study has no rows, also where a deleted one had its key."""
        import sqlalchemy.exc

        # the errors are those of a coordinator that finds that another one has made the table meanwhile
        with suppress(sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            self.storage.transact(lambda connection: table().create(connection, checkfirst=True))
        if is_new:
            self._run(f"DELETE FROM {TABLE} WHERE study_id = :study", {})

    # --- writing

    def reserve(self, entry: Entry) -> None:
        """Store a charge before it arises. One that was stored before is not stored again."""
        self.add([entry])

    def add(self, entries: Iterable[Entry]) -> None:
        """Store charges."""
        named = [dict(zip(_names(), entry, strict=True)) for entry in entries]
        now = now_in(self.storage)
        columns = ", ".join(":" + name for name in _names())
        columns = columns.replace(":begun_at", now).replace(":seen_at", now)
        self._run(
            f"INSERT INTO {TABLE} (study_id, {COLUMNS}) VALUES (:study, {columns}) ON CONFLICT (id) DO NOTHING",
            *named,
        )

    def meter(self, rows: Mapping[str, tuple[float, float]], worker: str, is_read: bool) -> Spending | None:
        """Store seconds charged and reserved by row, all of them or none; with `is_read` return what all spend."""
        now = now_in(self.storage)
        update = (
            f"UPDATE {TABLE} SET seconds = :seconds, reserved = :reserved, seen_at = {now} "
            "WHERE study_id = :study AND id = :id AND is_open = 1"
        )
        named = [{"id": id, "seconds": paid, "reserved": left} for id, (paid, left) in rows.items()]
        spent = "sum(CASE WHEN worker <> :earlier THEN seconds ELSE 0 END)"
        of_others = f"is_open = 1 AND worker <> :worker AND seen_at > {now} - {LIVE_SECONDS}"
        total = (
            f"SELECT coalesce({spent}, 0), coalesce(sum(CASE WHEN {of_others} THEN share ELSE 0 END), 0) "
            f"FROM {TABLE} WHERE study_id = :study"
        )

        def work(connection: Connection) -> Spending | None:
            execute(connection, self.study, update, named)
            if not is_read:
                return None
            ((seconds, shares),) = execute(
                connection, self.study, total, [{"worker": worker, "earlier": EARLIER}]
            )
            return Spending(float(seconds), float(shares))

        return self._quickly(work)

    def settle(self, totals: Mapping[Key, float | None]) -> None:
        """Close the open rows of these keys. With a total all rows of a key then sum up to it, not below 0 each."""

        def work(connection: Connection) -> None:
            for key, total in totals.items():
                rows = [one for one in self._rows(connection, key) if one.is_open]
                for place, row in enumerate(rows):
                    seconds = row.seconds
                    if total is not None and place == len(rows) - 1:
                        seconds = max(seconds + total - self._sum(connection, key), 0.0)
                    named = {"id": row.id, "seconds": round(seconds, 6)}
                    execute(
                        connection,
                        self.study,
                        f"UPDATE {TABLE} SET seconds = :seconds, reserved = 0, is_open = 0, "
                        f"seen_at = {now_in(self.storage)} WHERE study_id = :study AND id = :id",
                        [named],
                    )

        if totals:
            self.storage.transact(work)

    def carry(self, key: Key, paid: float, phase: str) -> None:
        """Store what was charged to a key before it had rows, by an earlier version, so that rows sum up to it."""
        missing = round(paid - self.charges().get(key, 0.0), 6)
        if missing > 0:
            entry = Entry(f"earlier:{self.study}:{key}", *key, phase, EARLIER, "", seconds=missing, is_open=0)
            self.add([entry])

    # --- reading

    def sums(self) -> Sums:
        """Return what was charged, summed up."""
        if not self._exists():
            return Sums({}, ())
        return self.storage.transact(
            lambda connection: read_sums(lambda query: connection.exec_driver_sql(query).all(), self.study)
        )

    def charges(self) -> Mapping[Key, float]:
        """Return the device seconds charged to each trial and seed that has rows."""
        return self.sums().charges

    def heartbeats(self) -> dict[str, float]:
        """Return when each worker was last seen, in unix seconds by the clock of the database."""
        return self.sums().heartbeats()

    def entries(self) -> list[Entry]:
        """Return all rows, the oldest first."""
        rows = self._run(f"SELECT {COLUMNS} FROM {TABLE} WHERE study_id = :study ORDER BY begun_at, id", {})
        return [Entry(*row) for row in rows]

    def now(self) -> float:
        """Return the unix seconds by the clock of the database, which all machines share."""
        ((now,),) = self._run(f"SELECT {now_in(self.storage)}", {})
        return float(now)

    def _rows(self, connection: Connection, key: Key) -> list[Entry]:
        select = f"SELECT {COLUMNS} FROM {TABLE} WHERE {_of_key(key)} ORDER BY begun_at, id"
        return [Entry(*row) for row in execute(connection, self.study, select, [_named(key)])]

    def _sum(self, connection: Connection, key: Key) -> float:
        select = f"SELECT coalesce(sum(seconds), 0) FROM {TABLE} WHERE {_of_key(key)}"
        ((seconds,),) = execute(connection, self.study, select, [_named(key)])
        return float(seconds)

    def _exists(self) -> bool:
        import sqlalchemy

        if not self._seen and self.storage.transact(
            lambda connection: sqlalchemy.inspect(connection).has_table(TABLE)
        ):
            self._seen.add(TABLE)
        return bool(self._seen)

    def _run(self, statement: str, *named: Mapping[str, Any]) -> Sequence[Any]:
        return self.storage.transact(
            lambda connection: execute(connection, self.study, statement, list(named))
        )

    def _quickly(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction that survives a kill of any process, and need not survive a loss of power."""
        if self.storage.engine.dialect.name == "postgresql":

            def without_sync(connection: Connection) -> T:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                return work(connection)

            return self.storage.transact(without_sync)
        return self.storage.transact(work, is_quick=True)


def new_id() -> str:
    """Return the name of a new row."""
    return uuid.uuid4().hex


def _names() -> list[str]:
    return COLUMNS.split(", ")


def _of_key(key: Key) -> str:
    seed = "seed IS NULL" if key[1] is None else "seed = :seed"
    return f"study_id = :study AND trial = :trial AND {seed}"


def _named(key: Key) -> dict[str, int]:
    return {"trial": key[0], **({} if key[1] is None else {"seed": key[1]})}
