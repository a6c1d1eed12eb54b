"""The log of the search as output of the command: remarks on standard output, warnings on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer


class EchoHandler(logging.Handler):
    """Prints each record to the stream of the moment, which a live display may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=record.levelno >= logging.WARNING)


@contextmanager
def log_to_terminal() -> Iterator[None]:
    """Print the log of the search while the block runs."""
    log, handler = logging.getLogger("search"), EchoHandler(logging.INFO)
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
