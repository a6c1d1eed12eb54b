"""A model of latency: what networks cost in multiply-adds, bytes and steps, weighed by measurements of one machine.

A forward pass takes a time for each step and each type of step, for each multiply-add and each byte: no weight is below
zero, so that a network which does more of everything is never foretold to be faster. Errors count as shares of the
measured seconds. A ridge keeps the weights of types that few networks have small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from search.storage.latency import Costs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

FEWEST = 10  # measured networks, below which nothing is foretold
MOST = 128  # the latest ones, which a model learns from
INSIDE = 0.9  # share of the networks left out whose foretold seconds, less the margin, are not above those measured
RIDGE, RIDGE_OF_TYPES = 0.1, 10.0  # of columns for all nodes, and of those for the nodes of one type
TOTALS = ("macs", "bytes", "steps")


class LatencyModel(NamedTuple):
    """Foretells the seconds of a network from its costs."""

    names: tuple[str, ...]
    # seconds for one of each, and the seconds of a network without any costs
    weights: tuple[float, ...]
    constant: float
    # ln(foretold / measured) of each network it learnt from, by a model of the others
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        """The median of the errors of the networks left out, as a share of the measured seconds."""
        ordered = sorted(abs(math.expm1(error)) for error in self.errors)
        return ordered[len(ordered) // 2]

    @property
    def margin(self) -> float:
        """How far foretold seconds may be too high, as a share: of the networks left out, 90 % were so by less.

        It is the conformal quantile, which also holds for one more network that is like these.
        """
        place = math.ceil((len(self.errors) + 1) * INSIDE) - 1
        return max(math.expm1(sorted(self.errors)[min(place, len(self.errors) - 1)]), 0.0)

    def seconds(self, costs: Costs) -> float:
        """Return the foretold seconds of a network."""
        return self.constant + sum(
            weight * costs.get(name, 0.0) for name, weight in zip(self.names, self.weights, strict=True)
        )

    def least_seconds(self, costs: Costs) -> float:
        """Return the foretold seconds of a network less the margin."""
        return self.seconds(costs) / (1.0 + self.margin)

    def __str__(self) -> str:
        count = len(self.errors)
        return (
            f"latency is foretold from {count} measured networks: {self.error:.0%} off at the median of those left "
            f"out, margin {self.margin:.0%}"
        )


def fitted(costs: Sequence[Costs], seconds: Sequence[float]) -> LatencyModel | None:
    """Return the model of the latest measurements, None where they are too few."""
    import numpy as np

    costs, seconds = costs[-MOST:], seconds[-MOST:]
    if len(costs) < FEWEST:
        return None
    names = (*TOTALS, *sorted({name for one in costs for name in one if " of " in name}))
    table = np.array([[1.0, *(one.get(name, 0.0) for name in names)] for one in costs])
    target = np.array(seconds)
    ridge = np.array([RIDGE, *(RIDGE if name in TOTALS else RIDGE_OF_TYPES for name in names)])
    weights = _weights(table, target, ridge)
    errors = []
    for i in range(len(costs)):
        others = _weights(np.delete(table, i, axis=0), np.delete(target, i), ridge)
        errors.append(math.log(max(float(table[i] @ others) / seconds[i], 1e-6)))
    return LatencyModel(names, tuple(map(float, weights[1:])), float(weights[0]), tuple(errors))


def _weights(table: Array, target: Array, ridge: Array) -> Array:
    """Return the weights, none below zero, for which the shares table @ weights / target are nearest to 1.

    The ridge is that of columns with a mean of 1 and of networks of the median seconds.
    """
    import numpy as np
    from scipy.optimize import nnls

    scale, unit = np.maximum(table.mean(axis=0), 1e-300), float(np.median(target))
    rows = table / scale * (unit / target)[:, None]
    system = np.vstack([rows, np.diag(np.sqrt(ridge))])
    wanted = np.concatenate([np.ones(len(rows)), np.zeros(len(ridge))])
    found: Array = nnls(system, wanted)[0] * unit / scale
    return found
