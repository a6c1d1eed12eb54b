"""Extras: libraries that only some files need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from trainer.errors import DataError


def needed(module: str, extra: str, why: str, package: str | None = None) -> Any:
    """Import a library. Raises DataError, with the command that installs it, where it is not installed.

    package: its name for pip, by default that of the module.
    """
    try:
        return import_module(module)
    except ImportError:
        raise DataError(
            f"{why}; install {package or module} to read it, with `pip install {package or module}` or "
            f"`pip install 'genome-nas[{extra}]'`"
        ) from None
