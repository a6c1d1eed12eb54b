"""Likeness of networks: kernels on their features, one for each kind of feature, for a Gaussian process to weigh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from genome.graph import Genome
from genome.plan import Plan

from ..space import Space
from .addresses import address
from .wl import Histogram, histograms

LIMITED = 5  # of the sizes: a study may limit them
FAR = 4.0  # standard deviations: further out a size is taken to be there


class Features(NamedTuple):
    """A network in numbers: neighbourhoods of its graph, answers to its space, and sizes."""

    histograms: tuple[Histogram, ...]
    address: np.ndarray
    sizes: np.ndarray


class Kernels(NamedTuple):
    """Each part (first axis) between n known points, between m new and the known, and at the new."""

    known: np.ndarray
    cross: np.ndarray
    own: np.ndarray


def features(space: Space, written: Genome, plan: Plan) -> Features:
    """Return the features of a genome of the space, of which `plan` is the plan."""
    return Features(histograms(plan), address(space, written, plan), sizes(plan))


def sizes(plan: Plan) -> np.ndarray:
    """Return the scalars of a plan, those first that a study may limit; what ranges over powers as its logarithm."""
    limited = (plan.params, plan.macs, plan.memory_bytes, plan.train_bytes)
    logs = [math.log1p(each) for each in limited]
    return np.array([*logs, plan.depth, len(plan.steps), math.log1p(plan.receptive_field)])


def kernels(known: Sequence[Features], new: Sequence[Features]) -> Kernels:
    """Return all parts: exp(-d) of the squared distance by each kind of feature, in units of its mean between known
    points, and the product of their logarithms of params, which lets a trend go on beyond what is known."""
    every, n = [*known, *new], len(known)
    parts = [_radial(_distances(_counts([one.histograms[i] for one in every]), n), n) for i in _kinds(every)]
    parts.append(_radial(_distances(csr_matrix([one.address for one in every]), n), n))
    scaled = _standard(np.array([one.sizes for one in every]), n)
    parts.append(_radial(_distances(csr_matrix(scaled), n), n))
    parts.append(scaled[:, :1] @ scaled[:n, :1].T)
    whole = np.array(parts)  # (parts, n + m, n)
    own = np.ones((len(parts), len(new)))
    own[-1] = scaled[n:, 0] ** 2
    return Kernels(whole[:, :n], whole[:, n:], own)


def _kinds(every: Sequence[Features]) -> range:
    return range(len(every[0].histograms))


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


def _radial(distances: np.ndarray, n: int) -> np.ndarray:
    """exp(-d / mean d). Where all known points are one, they tell nothing apart."""
    mean = distances[:n].sum() / max(1, n * (n - 1))
    return np.asarray(np.exp(-distances / mean)) if mean > 0 else np.ones_like(distances)


def _standard(values: np.ndarray, n: int) -> np.ndarray:
    """Columns of mean 0 and variance 1 over the first n."""
    spread = values[:n].std(axis=0)
    scaled = (values - values[:n].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.clip(scaled, -FAR, FAR))
