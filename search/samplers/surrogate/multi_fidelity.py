"""Brief and whole trainings in one Gaussian process: the score at a rung is that of the whole training plus another
function of the network, because a network that learns fast at first need not be the best in the end (autoregressive
models of several fidelities: Kennedy and O'Hagan, Biometrika 87(1), 2000)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Observations(NamedTuple):
    """k observations of n points, (k,) each."""

    # which point
    points: np.ndarray
    # whether of a brief training
    are_brief: np.ndarray
    # its noise, in units of the usual one
    noise: np.ndarray
    scores: np.ndarray

    def believing(self, scores: np.ndarray) -> Observations:
        """Return these and as many whole trainings of further points as there are scores."""
        more = len(scores)
        return Observations(
            np.append(self.points, self.points.max() + 1 + np.arange(more)),
            np.append(self.are_brief, np.zeros(more, dtype=bool)),
            np.append(self.noise, np.ones(more)),
            np.append(self.scores, scores),
        )


def among(known: np.ndarray, observed: Observations) -> np.ndarray:
    """Return the parts between observations; where some are brief, one more: what these have in common beyond others.

    known: (parts, n, n), between points.  Returns (parts, k, k).
    """
    parts = _columns(_columns(known, observed, 1), observed, 2)
    both = np.logical_and.outer(observed.are_brief, observed.are_brief)
    return _with(parts, parts.mean(axis=0) * both, observed)


def between(rows: np.ndarray, observed: Observations) -> np.ndarray:
    """Return the parts between whole trainings of m points and observations, (parts, m, k).

    rows: (parts, m, n), between these points and the observed ones.
    """
    parts = _columns(rows, observed, 2)
    return _with(parts, np.zeros(parts.shape[1:]), observed)


def at(own: np.ndarray, observed: Observations) -> np.ndarray:
    """Return the parts at whole trainings of m points, (parts, m), as `between` has them."""
    return _with(own, np.zeros(own.shape[1:]), observed)


def _columns(parts: np.ndarray, observed: Observations, axis: int) -> np.ndarray:
    """The parts at the points of the observations along one axis; no copy where each point has one, in order."""
    if np.array_equal(observed.points, np.arange(parts.shape[axis])):
        return parts
    return parts.take(observed.points, axis=axis)  # indexing would transpose them


def _with(parts: np.ndarray, more: np.ndarray, observed: Observations) -> np.ndarray:
    return np.concatenate([parts, more[None]]) if observed.are_brief.any() else parts
