"""Kernels on the features of networks, one for each kind of feature; a Gaussian process fits their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from genome.plan import Plan
from search.samplers.surrogate.encoding import address, of_recipe
from search.samplers.surrogate.wl import Histogram, histograms
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.space.space import Space

LIMITED = 5  # first sizes, those that a study may limit
FAR = 4.0  # standard deviations at which a size is clipped


class Features(NamedTuple):
    """A network in numbers."""

    # neighbourhoods of its graph
    histograms: tuple[Histogram, ...]
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
    return Features(histograms(plan), answers, of_recipe(space, answers), sizes(plan, point.searched))


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
    usual = [_distances(rows, n).sum() / max(1, n * (n - 1)) for rows in _rows(drawn, mean, deviation)]
    return Scale(tuple(usual), mean, deviation)


def kernels(known: Sequence[Features], new: Sequence[Features], by: Scale) -> Kernels:
    """Return all parts: exp(-d) of the squared distance by each kind of feature, in units of what it usually is in
    the space, and the product of their logarithms of params, which lets a trend go on beyond what is known.

    The unit is the space's, not that of the known networks: these come to be children of a few, and a unit of theirs
    would take small changes for large ones and never let the search look elsewhere.
    """
    every, n = [*known, *new], len(known)
    rows = _rows(every, by.mean, by.deviation)
    parts = [_radial(_distances(each, n), usual) for each, usual in zip(rows, by.distances, strict=True)]
    params = rows[-1][:, :1].toarray()
    parts.append(params @ params[:n].T)
    whole = np.array(parts)  # (parts, n + m, n)
    own = np.ones((len(parts), len(new)))
    own[-1] = params[n:, 0] ** 2
    return Kernels(whole[:, :n], whole[:, n:], own)


def _rows(every: Sequence[Features], mean: np.ndarray, deviation: np.ndarray) -> list[csr_matrix]:
    """The features of each kind as the rows of a matrix, sizes last."""
    counted = [_counts([one.histograms[i] for one in every]) for i in range(len(every[0].histograms))]
    sizes = np.clip((np.array([one.sizes for one in every]) - mean) / deviation, -FAR, FAR)
    # each key in a kernel of its own too: a rate that is good for one network is mostly good for others
    recipes = [csr_matrix(np.array(values)) for values in zip(*(one.recipe for one in every), strict=True)]
    return [*counted, csr_matrix([one.address for one in every]), *recipes, csr_matrix(sizes)]


def _counts(each: Sequence[Histogram]) -> csr_matrix:
    """Histograms as the rows of one matrix."""
    kinds, columns = np.unique(np.concatenate([one.kinds for one in each]), return_inverse=True)
    ends = np.cumsum([0, *(len(one.kinds) for one in each)])
    return csr_matrix(
        (np.concatenate([one.roots for one in each]), columns, ends), shape=(len(each), len(kinds))
    )


def _distances(rows: csr_matrix, n: int) -> np.ndarray:
    """Squared distances of all rows from the first n."""
    norms = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    between = (rows @ rows[:n].T).toarray()
    return np.asarray(np.maximum(norms[:, None] + norms[:n] - 2.0 * between, 0.0))


def _radial(distances: np.ndarray, usual: float) -> np.ndarray:
    """exp(-d / usual d). Where all networks of the space are one, they tell nothing apart."""
    return np.asarray(np.exp(-distances / usual)) if usual > 0 else np.ones_like(distances)
