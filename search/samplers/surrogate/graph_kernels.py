"""Kernels on the features of networks, one for each kind of feature; a Gaussian process fits their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from genome.plan import Plan
from search.samplers.surrogate.encoding import address, of_recipe
from search.samplers.surrogate.wl import Occurrences, Wiring, occurrences, wiring
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.space.space import Space

LIMITED = 5  # first sizes, those that a study may limit
SIZES = 7  # of a network
FAR = 4.0  # standard deviations at which a size is clipped
DENSE = 128  # columns of a dense matrix of counts; more, of which a network has a few, are stored sparse

Rows: TypeAlias = np.ndarray | csr_matrix


class Features(NamedTuple):
    """A network in numbers."""

    # its graph, whose neighbourhoods are counted
    wiring: Wiring
    # its answers to the holes of the space
    address: np.ndarray
    # of these, the answers for each key of the recipe that is searched
    recipe: tuple[np.ndarray, ...]
    sizes: np.ndarray


class Kernels(NamedTuple):
    """Kernels, one for each part of the features."""

    # (parts, n, n), between known points
    known: np.ndarray
    # (parts, m, n), between new and known points
    cross: np.ndarray
    # (parts, m), at new points
    own: np.ndarray


def features(space: Space, point: Point, plan: Plan) -> Features:
    """Return the features of a point of the space, of whose network `plan` is the plan."""
    answers = address(space, point, plan)
    return Features(wiring(plan), answers, of_recipe(space, answers), sizes(plan, point.searched))


def sizes(plan: Plan, searched: Searched = NOTHING_SEARCHED) -> np.ndarray:
    """Return the scalars of a plan, those first that a study may limit; what ranges over powers as its logarithm.

    Where the batch is searched, the memory of training is that of a batch, else that of an image.
    """
    train_bytes = plan.train_bytes * int(searched.get("batch", 1))
    limited = (plan.params, plan.macs, plan.memory_bytes, train_bytes)
    logs = [math.log1p(each) for each in limited]
    return np.array([*logs, plan.depth, len(plan.steps), math.log1p(plan.receptive_field)])


class Scale(NamedTuple):
    """How far apart networks of a space usually are."""

    # mean squared distance, by each kind of feature
    distances: tuple[float, ...]
    # of each size
    mean: np.ndarray
    deviation: np.ndarray


def scale(drawn: Sequence[Features]) -> Scale:
    """Return the scale of a space, of which these are even draws."""
    sizes = np.array([one.sizes for one in drawn])
    spread = sizes.std(axis=0)
    mean, deviation = sizes.mean(axis=0), np.where(spread > 0, spread, 1.0)
    n = len(drawn)
    space = np.empty((n, n))
    usual = [_distances(rows, n, space).sum() / max(1, n * (n - 1)) for rows in _rows(drawn, mean, deviation)]
    return Scale(tuple(usual), mean, deviation)


def kernels(known: Sequence[Features], new: Sequence[Features], by: Scale) -> Kernels:
    """Return all parts: exp(-d) of the squared distance by each kind of feature, in units of what it usually is in
    the space, and the product of their logarithms of params, which lets a trend go on beyond what is known.

    The unit is the space's, not that of the known networks: these come to be children of a few, and a unit of theirs
    would take small changes for large ones and never let the search look elsewhere.
    """
    every, n = [*known, *new], len(known)
    rows = _rows(every, by.mean, by.deviation)
    whole = np.empty((len(rows) + 1, len(every), n))
    for part, each, usual in zip(whole[:-1], rows, by.distances, strict=True):
        _radial(_distances(each, n, part), usual)
    params = rows[-1][:, :1]
    np.matmul(params, params[:n].T, out=whole[-1])
    own = np.ones((len(whole), len(new)))
    own[-1] = params[n:, 0] ** 2
    return Kernels(whole[:, :n], whole[:, n:], own)


def _rows(every: Sequence[Features], mean: np.ndarray, deviation: np.ndarray) -> list[Rows]:
    """The features of each kind as the rows of a matrix, sizes last."""
    sizes = np.clip((np.array([one.sizes for one in every]) - mean) / deviation, -FAR, FAR)
    # each key in a kernel of its own too: a rate that is good for one network is mostly good for others
    recipes = [np.array(values) for values in zip(*(one.recipe for one in every), strict=True)]
    counted = [_counts(each, len(every)) for each in occurrences([one.wiring for one in every])]
    return [*counted, np.array([one.address for one in every]), *recipes, sizes]


def _counts(of: Occurrences, networks: int) -> Rows:
    """How often each kind occurs, a row for each network; dense where there are few kinds, which is faster.

    Counts are as square roots: the tenth of a kind counts less than the first (Hellinger's distance).
    """
    kinds, columns = np.unique(of.kinds, return_inverse=True)
    ones = np.ones(len(columns))
    rows = csr_matrix((ones, (of.networks, columns)), shape=(networks, len(kinds))).sqrt()
    return rows if len(kinds) > DENSE else rows.toarray()


def _distances(rows: Rows, n: int, out: np.ndarray) -> np.ndarray:
    """Squared distances of all rows from the first n, written to `out`."""
    if isinstance(rows, np.ndarray):
        norms = np.einsum("ij,ij->i", rows, rows)
        np.matmul(rows, rows[:n].T, out=out)
    else:
        norms = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
        (rows @ rows[:n].T).toarray(out=out)
    out *= -2.0
    out += norms[:, None]
    out += norms[:n]
    return np.asarray(np.maximum(out, 0.0, out=out))


def _radial(distances: np.ndarray, usual: float) -> None:
    """Replace distances d by exp(-d / usual d). Where all networks of the space are one, they tell nothing apart."""
    if usual > 0:
        distances /= -usual
        np.exp(distances, out=distances)
    else:
        distances.fill(1.0)
