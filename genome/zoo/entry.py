"""entry: one published network of the zoo, with its reported results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from genome.graph import Genome


class Entry(NamedTuple):
    """A published network."""

    build: Callable[[], Genome]
    error: str = ""  # the error that its authors report; empty if unknown
    source: str = ""  # the paper and other sources
    note: str = (
        ""  # whether a result is disputed, was not reproduced, or is that of a slightly different network
    )
