"""Proxies as features of a Gaussian process: networks are alike where zero-cost proxies rank them alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from search.samplers.graph_kernels import Kernels
from search.samplers.proxy_vote import Row


def beside(kernels: Kernels, rows: Sequence[Row | None], names: Sequence[str]) -> Kernels:
    """Return these kernels and one part more, by these proxies.

    rows: the proxies of the n known points, then of the m new ones.
    """
    n = kernels.known.shape[1]
    part = likeness(rows, names, n)[None]
    own = np.ones((1, len(rows) - n))
    return Kernels(
        np.concatenate([kernels.known, part[:, :n]]),
        np.concatenate([kernels.cross, part[:, n:]]),
        np.concatenate([kernels.own, own]),
    )


def likeness(rows: Sequence[Row | None], names: Sequence[str], n: int) -> np.ndarray:
    """Return exp(-d) between all rows and the first n; d is half the mean squared distance by ranks of variance 1.

    Ranks, as proxies range over powers of ten and only their order is compared with what training found.
    """
    ranks = np.array([_ranks(rows, name) for name in names])  # (proxies, rows)
    apart = ranks[:, :, None] - ranks[:, None, :n]
    return np.asarray(np.exp(-0.5 * (apart**2).mean(axis=0)))


def _ranks(rows: Sequence[Row | None], name: str) -> np.ndarray:
    """Ranks of mean 0 and variance 1. One that a network does not have is the lowest, as in a vote; a network that was
    not screened stands in the middle."""
    there = np.array([bool(row) for row in rows])
    ranks = np.zeros(len(rows))
    if there.any():
        values = [row.get(name, -np.inf) for row in rows if row]
        ranks[there] = ((rankdata(values) - 0.5) / len(values) - 0.5) * np.sqrt(12.0)
    return ranks
