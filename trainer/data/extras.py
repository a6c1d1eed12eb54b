"""Extras: libraries that only some files need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from trainer.errors import DataError


def needed(module: str, extra: str, why: str) -> Any:
    """Import a library. Raises DataError, with the command that installs it, where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise DataError(
            f"{why}; install {module} to read it, with `pip install {module}` or `pip install 'genome-nas[{extra}]'`"
        ) from None
