"""entry: one published network of the zoo, and what was reported of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from genome.graph import Genome


class Entry(NamedTuple):
    """A published setting: how to build it, the error its authors report, and where that was read.

    `error` is empty where no figure is known to us; `note` says where a result is disputed, or was not
    reproduced, or is of a network that differs from this one.
    """

    build: Callable[[], Genome]
    error: str = ""
    source: str = ""
    note: str = ""
