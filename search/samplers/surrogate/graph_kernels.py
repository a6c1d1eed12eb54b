"""Kernels on the features of networks, one for each kind of feature; a Gaussian process fits their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from genome.plan import Plan
from search.samplers.surrogate.encoding import address, of_recipe
from search.samplers.surrogate.rows import Rows, Values, counted, dense, distances, similarities, turned
from search.samplers.surrogate.wl import Occurrences, Wiring, occurrences, wiring
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.space.space import Space

LIMITED = 5  # first sizes, those that a study may limit
SIZES = 7  # of a network
FAR = 4.0  # standard deviations at which a size is clipped


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
    unit = Scale((), sizes.mean(axis=0), np.where(spread > 0, spread, 1.0))
    pairs, known = max(1, len(drawn) * (len(drawn) - 1)), Basis.of(drawn, unit)
    found = zip(known.rows, known.turned, strict=True)
    return unit._replace(distances=tuple([distances(each, columns).sum() / pairs for each, columns in found]))


def kernels(known: Sequence[Features], new: Sequence[Features], by: Scale) -> Kernels:
    """Return all parts: exp(-d) of the squared distance by each kind of feature, in units of what it usually is in
    the space, and the product of their logarithms of params, which lets a trend go on beyond what is known.

    The unit is the space's, not that of the known networks: these come to be children of a few, and a unit of theirs
    would take small changes for large ones and never let the search look elsewhere.
    """
    basis = Basis.of(known, by)
    others = basis.rows_of(new)
    own = np.ones((len(basis.rows) + 1, len(new)))
    if others:
        own[-1] = _params(others) ** 2
    return Kernels(basis.between(basis.rows), basis.between(others), own)


@dataclass(frozen=True, eq=False)
class Basis:
    """Known networks, with which others are compared."""

    scale: Scale
    # of each count, the kinds that occur in known networks, in order
    kinds: tuple[np.ndarray, ...]
    # of each kind of feature, and the same turned
    rows: tuple[Rows, ...]
    turned: tuple[Values, ...]

    @classmethod
    def of(cls, known: Sequence[Features], by: Scale) -> Basis:
        """Return the basis of these networks."""
        counts = occurrences([one.wiring for one in known])
        kinds = tuple([np.unique(each.kinds) for each in counts])
        rows = _rows(known, counts, kinds, by)
        return cls(by, kinds, rows, tuple(map(turned, rows)))

    def rows_of(self, new: Sequence[Features]) -> tuple[Rows, ...]:
        """Return the rows of other networks; nothing for none."""
        if not new:
            return ()
        return _rows(new, occurrences([one.wiring for one in new]), self.kinds, self.scale)

    def between(self, others: Sequence[Rows]) -> np.ndarray:
        """Return the parts between m others, by their rows, and the known networks. (parts, m, n)"""
        m, n = (len(each[-1].norms) if each else 0 for each in (others, self.rows))
        parts = np.empty((len(self.rows) + 1, m, n))
        if others:
            for i, usual in enumerate(self.scale.distances):
                similarities(others[i], self.turned[i], self.rows[i].norms, usual, parts[i])
            np.multiply.outer(_params(others), _params(self.rows), out=parts[-1])
        return parts


def _rows(
    networks: Sequence[Features], counts: Sequence[Occurrences], kinds: Sequence[np.ndarray], by: Scale
) -> tuple[Rows, ...]:
    """The features of each kind, sizes last."""
    sizes = np.clip((np.array([one.sizes for one in networks]) - by.mean) / by.deviation, -FAR, FAR)
    # each key in a kernel of its own too: a rate that is good for one network is mostly good for others
    recipes = [np.array(values) for values in zip(*(one.recipe for one in networks), strict=True)]
    numbers = [np.array([one.address for one in networks]), *recipes, sizes]
    kept = [counted(each, len(networks), known) for each, known in zip(counts, kinds, strict=True)]
    return (*kept, *map(dense, numbers))


def _params(rows: Sequence[Rows]) -> np.ndarray:
    """The logarithm of the params of each network, in units of the space."""
    return np.asarray(rows[-1].values[:, 0])
