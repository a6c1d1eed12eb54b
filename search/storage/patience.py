"""Patience: a running search waits for a database server that restarts, and repeats what the restart cut off.

Every method of Optuna's storage is one transaction. A transaction that fails by a lost connection is repeated; where
its commit may have arrived (the connection was lost before the answer), the repetition must change nothing, see
`DatabaseStorage`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import sqlalchemy

PATIENCE_SECONDS = 30.0  # that a running search waits for a server that restarts
AGAIN_SECONDS = 0.5  # between two attempts
# SQLSTATE of errors after which another connection succeeds: a lost connection, a server that goes down or comes up
LOST = ("08", "57P01", "57P02", "57P03")

Class = TypeVar("Class", bound=type)


def be_patient(engine: sqlalchemy.Engine) -> None:
    """Retry failed connections for a while, so that a search survives a restart of its server."""
    import sqlalchemy

    left = PATIENCE_SECONDS

    def connect(dialect: Any, record: Any, args: Any, settings: Any) -> Any:
        nonlocal left
        while True:
            try:
                connection = dialect.connect(*args, **settings)
            except dialect.dbapi.OperationalError:
                if left <= 0:
                    raise
                left -= AGAIN_SECONDS
                time.sleep(AGAIN_SECONDS)
            else:
                left = PATIENCE_SECONDS
                return connection

    sqlalchemy.event.listen(engine, "do_connect", connect)


def repeats_lost(*names: str) -> Callable[[Class], Class]:
    """Decorate a storage: methods of these names are repeated while `is_patient` and the connection was lost."""

    def decorated(storage: Class) -> Class:
        for name in names:
            setattr(storage, name, _repeated(getattr(storage, name)))
        return storage

    return decorated


def _repeated(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        first: float | None = None
        while True:
            try:
                return method(self, *given, **named)
            except Exception as error:
                if not (self.is_patient and is_lost(error)):
                    raise
                first = time.monotonic() if first is None else first
                if time.monotonic() - first >= PATIENCE_SECONDS:
                    raise
                self.remove_session()
                time.sleep(AGAIN_SECONDS)

    return call


def is_lost(error: BaseException | None) -> bool:
    """Whether an error says that the connection to the server was lost."""
    import sqlalchemy.exc

    while error is not None:
        # Optuna repeats a query on the session whose connection was lost, which hides the first error
        if isinstance(error, sqlalchemy.exc.PendingRollbackError):
            return True
        if isinstance(error, sqlalchemy.exc.DBAPIError):
            state = getattr(error.orig, "sqlstate", None) or ""
            return error.connection_invalidated or state.startswith(LOST)
        error = error.__cause__
    return False
