"""Feasibility: how likely a network is inside the limits, which a sampler has to learn from refused trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import genome
from genome import GenomeError
from genome.domain import DomainError
from search.samplers.base import Individual
from search.samplers.surrogate import graph_kernels
from search.samplers.surrogate.graph_kernels import Features

BEATEN = 0.1  # above 0, because a refusal may have had another cause


class Feasibility:
    """The limits of a study, as far as its refused trials tell; it caches what does not change."""

    def __init__(self) -> None:
        self._sizes: dict[int, np.ndarray | None] = {}  # by the number of the trial

    def chances(self, networks: Sequence[Features], history: Sequence[Individual]) -> np.ndarray:
        """Return how likely each network is inside the limits."""
        refused = self._limited([one for one in history if one.violation > 0])
        if not len(refused):
            return np.ones(len(networks))
        kept = self._limited([one for one in history if one.violation <= 0 and one.is_measured])
        new = np.array([one.sizes[: graph_kernels.LIMITED] for one in networks])
        return chances(new, kept, refused)

    def _limited(self, networks: Sequence[Individual]) -> np.ndarray:
        """The sizes that a study may limit, of those that can be built."""
        for one in networks:
            if one.number not in self._sizes:
                self._sizes[one.number] = _sizes(one)
        return np.array([sizes for one in networks if (sizes := self._sizes[one.number]) is not None])


def _sizes(one: Individual) -> np.ndarray | None:
    try:
        plan = genome.resolve(one.genome)
    except (GenomeError, DomainError):  # refused as illegal
        return None
    return graph_kernels.sizes(plan, one.searched)[: graph_kernels.LIMITED]


def chances(new: np.ndarray, kept: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Return how likely each network is inside the limits, by sizes (networks, kinds) of those that were and were not.

    A limit bounds a size from above. So all that is no larger than some network inside, kind by kind, is inside, and
    what was refused there broke no limit: its training did not work out. Further out the chance falls towards the
    nearest refused one, but no lower than a half, a quarter beyond one, a sixth beyond two: the limit that these
    broke may be of another kind. What has as much of everything as a refused one gets a tenth of that.
    """
    if len(kept):
        refused = refused[(refused > kept.max(axis=0)).any(axis=1)]
    if not len(refused):
        return np.ones(len(new))
    beaten = np.where((new[:, None, :] >= refused).all(axis=-1).any(axis=-1), BEATEN, 1.0)
    if not len(kept):
        return np.asarray(beaten)
    most = kept.max(axis=0)
    out, met = (new - most).max(axis=1), (refused - most).max(axis=1)
    nearer = (met <= out[:, None]).sum(axis=1)
    falling = np.maximum(1.0 - out / met.min(), 0.5 / (1.0 + nearer))
    return np.asarray(np.where(out <= 0, 1.0, falling * beaten))
