"""The table of the ledger, and the statements on it that both kinds of database understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from search.storage.transactions import DatabaseStorage

TABLE = "genome_ledger"


def execute(
    connection: Connection, study: int, statement: str, named: Sequence[Mapping[str, Any]]
) -> Sequence[Any]:
    import sqlalchemy

    if not named:
        return ()
    done = connection.execute(
        sqlalchemy.text(statement),
        [{**one, "study": study} for one in named] if len(named) > 1 else {**named[0], "study": study},
    )
    return done.all() if done.returns_rows else ()


def now_in(storage: DatabaseStorage) -> str:
    """Return the SQL of the unix seconds now."""
    if storage.engine.dialect.name == "postgresql":
        return "extract(epoch from clock_timestamp())"
    return "((julianday('now') - 2440587.5) * 86400.0)"


def table() -> Table:
    from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table

    return Table(
        TABLE,
        MetaData(),
        Column("id", String(64), primary_key=True),
        Column("study_id", Integer, nullable=False, index=True),
        Column("trial", Integer, nullable=False),
        Column("seed", BigInteger),
        Column("phase", String(16), nullable=False),
        Column("worker", String(320), nullable=False),
        Column("device", String(320), nullable=False),
        *(
            Column(name, Float(53), nullable=False)
            for name in ("share", "seconds", "reserved", "begun_at", "seen_at")
        ),
        Column("is_open", Integer, nullable=False),
    )
