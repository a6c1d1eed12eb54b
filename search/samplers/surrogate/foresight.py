"""Foresight: what experience of other images foretells of the networks of one space, with the weight it has earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from search.samplers.surrogate.experience import Experience
from search.samplers.surrogate.graph_kernels import Features, Scale
from search.samplers.surrogate.improvement import Foretold
from search.samplers.surrogate.multi_fidelity import Observations

PSEUDO = 8.0  # the weight is fitted as if so many more trials had come to just what experience foretold
MOST = 1.5  # weight
# after so many trials, experience is dropped if its correlation with their results is no higher than this
FEW, USELESS = 10, 0.1
LEAST = 1e-6  # variance, so that nothing is divided by zero


class Foresight:
    """The experience of one study; nothing in it but caches lasts from call to call."""

    def __init__(self, experience: Experience, drawn: Sequence[Features], scale: Scale) -> None:
        """drawn: even draws of the space, in whose units costs are: 0 is the middle of them."""
        self._experience, self._drawn, self._scale = experience, drawn, scale
        self._known: dict[str, float] = {}  # by digest, of trials

    def costs(self, networks: Sequence[Features]) -> np.ndarray:
        """Return the costs that are foretold of networks. (n,)"""
        return self._experience.costs(networks, self._scale) - self._middle

    def weighed(
        self, known: Mapping[str, Features], new: Sequence[Features], observed: Observations
    ) -> Foretold:
        """Return what is foretold, by a line through what was observed: its slope is the weight of experience.

        known: by digest, first the networks that were observed, in the order of the points, then others.
        """
        unknown = [digest for digest in known if digest not in self._known]
        costs = self.costs([*(known[digest] for digest in unknown), *new])
        self._known.update(zip(unknown, costs[: len(unknown)].tolist(), strict=True))
        foretold = np.array([self._known[digest] for digest in known])
        points, first = np.unique(observed.points, return_index=True)  # where each ended comes first
        scores = observed.scores[first]
        earned = weight(foretold[points], scores)
        middle = level(scores - earned * foretold[points])
        return Foretold(middle + earned * foretold, middle + earned * costs[len(unknown) :])

    @cached_property
    def _middle(self) -> float:
        return float(np.median(self._experience.costs(self._drawn, self._scale)))


def level(errors: np.ndarray) -> float:
    """Return by how much experience errs for all networks alike: its units are only roughly those of a study. (n,)"""
    return float(errors.sum() / (len(errors) + 1))


def weight(foretold: np.ndarray, scores: np.ndarray) -> float:
    """Return the weight of experience in a study, by how well it foretold the scores of its trials; 0 drops it.

    Without trials it is 1. It is the slope of a line through the trials, and through as many more as `PSEUDO` says
    whose slope is 1. Both are (n,), in units of a space.
    """
    if len(scores) < 2:
        return 1.0
    x, y = foretold - foretold.mean(), scores - scores.mean()
    if len(scores) >= FEW and x @ y <= USELESS * np.sqrt((x @ x) * (y @ y)):
        return 0.0
    usual = PSEUDO * max(float(x @ x) / len(x), LEAST)
    return float(np.clip((x @ y + usual) / (x @ x + usual), 0.0, MOST))
