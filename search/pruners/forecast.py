"""forecast: a trial goes on while a second of it promises more than a second of a new network.

What a trial will come to is forecast from its score at the rung and its size: a larger network is often behind early
and ahead in the end. The line between them is fitted to the trials that were trained to the end, and so is its error,
so that a rung that tells little stops nobody. What is promised is the expected improvement on the best trial (Jones et
al., J. Global Optimization 13, 1998), of the trial for the epochs it still needs, of a new network for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from search.pruners.registry import pruner
from search.pruners.rules import Climb
from search.pruners.shortfall import SMALLEST_SPREAD, log_shortfall

FINISHED = 5  # a forecast needs so many trials that passed the rung and were trained to the end
NEWEST = 40  # a new network is expected to come to what so many of the last trials came to
PRIOR = 2.0  # the line is fitted as if so many more trials had kept their distance, whatever their size


class Line:
    """A linear forecast of the end from the score at a rung and the size, all as logarithms, with its error."""

    def __init__(self, rows: np.ndarray, ends: np.ndarray) -> None:
        """Fit the line. rows: (n, 2) score and size. ends: (n,)."""
        self.center, self.mean = rows.mean(axis=0), float(ends.mean())
        apart = rows - self.center
        spread = np.maximum(apart.std(axis=0), 1e-9)
        self.scale = spread
        kept = np.array([spread[0], 0.0])  # of the prior: the distance at the rung is that at the end
        inverse = np.linalg.inv((apart / spread).T @ (apart / spread) + PRIOR * np.eye(2))
        self.slopes = inverse @ ((apart / spread).T @ (ends - self.mean) + PRIOR * kept)
        hat = np.einsum("ij,jk,ik->i", apart / spread, inverse, apart / spread) + 1.0 / len(ends)
        left_out = (ends - self.mean - apart / spread @ self.slopes) / np.maximum(1.0 - hat, 1e-3)
        self.error = max(float(np.sqrt((left_out**2).mean())), SMALLEST_SPREAD)

    def at(self, row: np.ndarray) -> NormalDist:
        """Return the forecast of a trial."""
        return NormalDist(self.mean + float((row - self.center) / self.scale @ self.slopes), self.error)


@pruner("forecast", reads_climbs=True)
def promises_less(epoch: int, epochs: int, me: Climb, peers: Sequence[Climb], ceiling: float) -> bool:
    """Whether a second of the trial promises less than a second of a new network.

    ceiling: the score of a network without error: 1 for accuracy, 0 for loss (as scores: higher is better).
    """
    lines = {
        rung: _line(rung, peers, ceiling)
        for rung in {epoch, *(max(peer.scores) for peer in peers if peer.scores)}
    }
    line = lines[epoch]
    if line is None:
        return False
    best = max(_gained(peer.end, ceiling) for peer in peers if peer.end is not None)
    mine = improvement(line.at(_row(epoch, me, ceiling)), best) / (1.0 - epoch / epochs)
    return mine < improvement(_new(peers, lines, ceiling), best)


def improvement(forecast: NormalDist, best: float) -> float:
    """Return how much a result is expected to be above the best one."""
    z = (forecast.mean - best) / forecast.stdev
    return forecast.stdev * (z * NormalDist().cdf(z) + NormalDist().pdf(z))


def _new(peers: Sequence[Climb], lines: Mapping[int, Line | None], ceiling: float) -> NormalDist:
    """What a new network comes to: as the newest trials, by their results, or by forecasts where they were stopped."""
    found = []
    for peer in peers[-NEWEST:]:
        if peer.end is not None:
            found.append((_gained(peer.end, ceiling), 0.0))
        elif peer.scores and (line := lines[max(peer.scores)]) is not None:
            forecast = line.at(_row(max(peer.scores), peer, ceiling))
            found.append((forecast.mean, forecast.variance))
    means, variances = np.array(found).T
    return NormalDist(float(means.mean()), max(math.sqrt(means.var() + variances.mean()), SMALLEST_SPREAD))


def _line(rung: int, peers: Sequence[Climb], ceiling: float) -> Line | None:
    """The line from a rung to the end, None where too few trials were trained to the end."""
    ended = [peer for peer in peers if peer.end is not None and rung in peer.scores]
    if len(ended) < FINISHED:
        return None
    rows = np.array([_row(rung, peer, ceiling) for peer in ended])
    return Line(rows, np.array([_gained(peer.end, ceiling) for peer in ended if peer.end is not None]))


def _row(rung: int, climb: Climb, ceiling: float) -> np.ndarray:
    return np.array([_gained(climb.scores[rung], ceiling), climb.size])


def _gained(score: float, ceiling: float) -> float:
    """A score as the negative logarithm of what it lacks, higher is better."""
    return -log_shortfall(score, ceiling)
