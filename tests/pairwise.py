"""Products of parameters of which a few rows are always tested, and all of them with `make test-slow`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pytest


def pairs(*axes: Sequence[Any]) -> list[Any]:
    """Return the rows of the product. Some of them hold each pair of values of two axes; the others are slow.

    A tuple stands for several parameters where all values of its axis are tuples of that length.
    """
    rows = list(product(*(range(len(axis)) for axis in axes)))
    held = {row: frozenset(combinations(enumerate(row), 2)) for row in rows}
    missing, kept = set().union(*held.values()), set()
    while missing:
        best = max(rows, key=lambda row: len(held[row] & missing))
        kept.add(best)
        missing -= held[best]
    return [pytest.param(*_values(axes, row), marks=[] if row in kept else pytest.mark.slow) for row in rows]


def _values(axes: Sequence[Sequence[Any]], row: Sequence[int]) -> list[Any]:
    values = list[Any]()
    for axis, at in zip(axes, row, strict=True):
        is_several = all(isinstance(value, tuple) and len(value) == len(axis[0]) for value in axis)
        values += axis[at] if is_several else [axis[at]]
    return values
