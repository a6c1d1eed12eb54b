"""Printing: JSON on standard output, errors and remarks on standard error."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import typer

# a word with bytes that are not UTF-8, which Python keeps as lone surrogates
UNDECODED = re.compile("[^\\s/'\"]*[\udc80-\udcff]+[^\\s/'\"]*")


def user_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose message is a sentence for the user. They are imported only after an error."""
    from genome import GenomeError
    from genome.yaml.source import SourceError
    from search.errors import StudyError
    from search.space.holes import SpaceError
    from trainer import BudgetError, CheckpointError, DataError, RecipeError

    ours = (StudyError, SourceError, GenomeError, SpaceError)
    return (*ours, BudgetError, CheckpointError, DataError, RecipeError, OSError)


def undecoded_name(error: UnicodeEncodeError) -> str | None:
    """Return the name of a file that is not UTF-8, in a text that cannot be encoded; None where there is none."""
    found = UNDECODED.search(error.object)
    return None if found is None else repr(os.fsencode(found[0]))[1:]


def print_error(error: Exception) -> None:
    """Print the message of an error of `user_errors`."""
    if isinstance(error, OSError):
        remark(f"{error.filename or 'file'}: {error.strerror or error}")
    else:
        remark(str(error))


def remark(line: str) -> None:
    """Print a line on standard error; of several processes of one training, only the first prints it."""
    if os.environ.get("RANK", "0") == "0":
        typer.echo(line, err=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
