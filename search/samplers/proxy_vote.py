"""Screening: which of several candidates is worth training, by proxies that were validated in this study.

Screening drops the candidates that look worst and does not pick the one that looks best. On some data sets a proxy
ranks networks the wrong way round, so no proxy is used before its rank correlation with trained networks is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

# proxy -> value, higher promises better; one that is missing is the worst
Row: TypeAlias = Mapping[str, float]

LEAST_TRAINED = 8  # trials before any proxy is trusted
LEAST_CORRELATION = 0.2  # of a proxy that has a vote; by chance alone 3 of 10 have as much after 8 trials
KEPT = 2  # candidates that are not dropped, one of which is trained


class Screen(NamedTuple):
    """What a study asks for: proxies to measure, and the share of the candidates that is kept."""

    proxies: tuple[str, ...]
    keep: float

    def plain(self) -> dict[str, Any]:
        """Return it as a study file has it."""
        return {"proxies": list(self.proxies), "keep": self.keep}

    @property
    def candidates(self) -> int:
        """How many to draw: so many that `KEPT` of them are kept."""
        return math.ceil(KEPT / self.keep)


class Evidence(NamedTuple):
    """A trained network: its proxies before, and its cost after; lower is better."""

    row: Row
    cost: float


def correlations(evidence: Sequence[Evidence]) -> dict[str, float]:
    """Return Spearman's rank correlation of each proxy with what training found, above 0 where it ranks rightly.

    0 where all values are equal, or fewer than two networks were trained.
    """
    names = dict.fromkeys(name for known in evidence for name in known.row)
    goodness = [-known.cost for known in evidence]
    return {name: _spearman([_value(known.row, name) for known in evidence], goodness) for name in names}


def trusted(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Return the proxies that may vote now; one that is dropped comes back when its correlation rises."""
    if len(evidence) < LEAST_TRAINED:
        return ()
    return tuple(name for name, found in correlations(evidence).items() if found >= LEAST_CORRELATION)


def votes(rows: Sequence[Row | None], names: Sequence[str]) -> list[float]:
    """Return the mean rank of each candidate over these proxies, 1 for the worst; equals share theirs.

    A candidate whose proxies could not be measured is below all others, at 0.
    """
    from scipy.stats import rankdata

    measured = [row for row in rows if row is not None]
    ranks = [rankdata([_value(row, name) for row in measured]) for name in names]
    means = iter([sum(map(float, of)) / len(names) for of in zip(*ranks, strict=True)])
    return [0.0 if row is None else next(means) for row in rows]


def kept(rows: Sequence[Row | None], names: Sequence[str], keep: float) -> list[int]:
    """Return the candidates of the share that these proxies keep, in the order in which they were drawn; at least one.

    Without a proxy, the first that could be measured; where none could, the first.
    """
    if not names or all(row is None for row in rows):
        return [next((i for i, row in enumerate(rows) if row is not None), 0)]
    ranked = votes(rows, names)
    best = sorted(range(len(rows)), key=lambda i: (-ranked[i], i))
    return sorted(best[: max(1, round(keep * len(rows)))])


def _value(row: Row, name: str) -> float:
    return row.get(name, -math.inf)


def _spearman(xs: Sequence[float], ys: Sequence[float]) -> float:
    from scipy.stats import spearmanr

    if len(set(xs)) < 2 or len(set(ys)) < 2:
        return 0.0
    return float(spearmanr(xs, ys).statistic)
