"""Damage: what is stored of a study and cannot be read as that is one sentence, whatever error it led to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from search.errors import StudyError
from search.storage.connect import first_line, log_of, reading_query

MEND = (
    "its database was changed or is damaged; put a copy of it back, with the -wal file of that copy or none"
)
# of values that are not what this project stores
ERRORS = (TypeError, ValueError, LookupError, AttributeError, RecursionError, OverflowError)
UNREADABLE = ("malformed", "Could not decode", "not a database")  # in messages of SQLite


@contextmanager
def damage_of(study: str) -> Iterator[None]:
    """Raise StudyError, one sentence, where what is stored of a study cannot be read; other errors pass."""
    from genome import GenomeError
    from genome.yaml.source import SourceError

    try:
        yield
    except (StudyError, SourceError, GenomeError):
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        if not (isinstance(error, ERRORS) or any(word in str(cause) for word in UNREADABLE)):
            raise
        reason = " ".join(first_line(cause).split())[:120] if str(cause) else type(cause).__name__
        raise StudyError(f"what is stored of study {study} cannot be read ({reason}): {MEND}") from error


def check_whole(file: Path, study: str) -> None:
    """Raise StudyError where the structure of an SQLite file is damaged; one that cannot be opened is passed over."""
    found = "ok"
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?{reading_query(file)}", uri=True)
        ) as connection:
            if _is_cut(file, connection):
                found = "the file ends in the middle of a page"
            else:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except OSError:
        return
    except sqlite3.Error as error:
        if not any(word in str(error) for word in UNREADABLE):
            return
        found = str(error)
    if found != "ok":
        reason = " ".join(str(found).split())[:120]
        raise StudyError(f"what is stored of study {study} cannot be read ({reason}): {MEND}")


def _is_cut(file: Path, connection: sqlite3.Connection) -> bool:
    """Whether a file that no process writes ends within a page, which SQLite notices only where it reads that page.

    SQLite alone opens the file. Its locks are those of POSIX, which a process loses when it closes the file anywhere:
    a reader then takes itself for the last one and removes the write-ahead log of a run that goes on.
    """
    log = log_of(file)
    if log.exists() and log.stat().st_size:
        return False
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    return file.stat().st_size % int(page) > 0
