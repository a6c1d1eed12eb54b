"""What the search logs, in the command's own output: what it chose among its lines, what is amiss as complaints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer


class Echo(logging.Handler):
    """Prints each line; the stream is that of the moment, which a live display may have taken over."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=record.levelno >= logging.WARNING)


@contextmanager
def spoken() -> Iterator[None]:
    """Print what the search logs while the block runs."""
    log, handler = logging.getLogger("search"), Echo(logging.INFO)
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
