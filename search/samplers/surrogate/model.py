"""The model of one space: which networks are worth training, from what trials have come to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property, lru_cache
from random import Random
from typing import NamedTuple

import numpy as np

import genome
from genome import Genome, GenomeError, Plan
from genome.domain import DomainError, Value
from search.samplers.base import Individual, Proposal
from search.samplers.surrogate import graph_kernels, target_transform
from search.samplers.surrogate.errors import FitError
from search.samplers.surrogate.experience import Experience, features_of
from search.samplers.surrogate.feasibility import Feasibility
from search.samplers.surrogate.foresight import Foresight
from search.samplers.surrogate.graph_kernels import Features
from search.samplers.surrogate.improvement import (
    Foretold,
    Seen,
    improvement,
    learnt_from,
    means,
    observations,
    seen_of,
)
from search.samplers.surrogate.multi_fidelity import Observations
from search.space.limits import is_inside
from search.space.point import Point, digest_of
from search.space.space import Space

FEWEST = 10  # with fewer measured networks, a mean is no better than a result
SCALED = 100  # draws by which the scale of the space is measured
# networks whose features are cached: candidates of some proposals, and trials, which are read again for each proposal
NEW, KNOWN = 1 << 10, 1 << 14


class Network(NamedTuple):
    """What a genome builds, with its recipe, as the model sees it."""

    digest: str
    features: Features
    is_inside: bool  # the limits of the space


class Candidate(NamedTuple):
    """A network that may be proposed."""

    proposal: Proposal
    features: Features

    @property
    def size(self) -> float:
        """The logarithm of one and its params."""
        return float(self.features.sizes[0])


class Trials(NamedTuple):
    """The trials that a model learns from."""

    measured: Sequence[Individual]
    running: Sequence[Individual]

    @classmethod
    def among(cls, history: Sequence[Individual]) -> Trials:
        """Return those of all trials."""
        measured = [one for one in history if one.is_measured and one.violation <= 0]
        return cls(measured, [one for one in history if one.is_running])

    @property
    def begun(self) -> int:
        """How many there are."""
        return len(self.measured) + len(self.running)


class Surrogate:
    """A Gaussian process over the networks of one space; nothing in it but caches lasts from call to call."""

    def __init__(self, space: Space, seed: int, experience: Experience | None = None) -> None:
        """experience: what networks came to on other images."""
        self.space, self.seed, self.experience = space, seed, experience
        self._network = lru_cache(maxsize=NEW)(self._resolved)
        self._trained = lru_cache(maxsize=KNOWN)(self._network)
        self._feasibility = Feasibility()

    @property
    def units(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The mean and the deviation of the sizes of even draws of the space, as a file of experience has them."""
        return tuple(self.scale.mean.tolist()), tuple(self.scale.deviation.tolist())

    def distinct(
        self, proposals: Iterable[Proposal], known: Collection[str], most: int | None = None
    ) -> list[Candidate]:
        """Return those inside the limits that are not known, each network once; the first `most` of them."""
        found: dict[str, Candidate] = {}
        for proposal in proposals:
            if len(found) == most:
                break
            network = self._of(proposal.point)
            if network is not None and network.is_inside and network.digest not in known:
                found.setdefault(network.digest, Candidate(proposal, network.features))
        return list(found.values())

    def seen(self, trials: Trials, rng: Random) -> Seen:
        """Return what was seen of measured trials; several objectives are one by weights that are drawn."""
        return seen_of(trials.measured, rng)

    def most_promising(
        self,
        candidates: Sequence[Candidate],
        history: Sequence[Individual],
        trials: Trials,
        seen: Seen,
        rng: Random,
        explores: bool,
    ) -> Candidate:
        """Return the candidate of greatest expected improvement, times the chance that it is inside the limits.

        explores: the improvement counts on the middle of the space, not on the best that is known.
        Raises FitError where no Gaussian process can be fitted.
        """
        new = [one.features for one in candidates]
        than = target_transform.MIDDLE if explores else None
        gains = self._gains(trials, seen, new, rng, than) * self._feasibility.chances(new, history)
        return candidates[int(gains.argmax())]

    def means(self, history: Sequence[Individual]) -> dict[int, float]:
        """Return the mean cost of a whole training of measured trials, by number, in units of the space.

        The mean weighs the result of a network by those of networks like it, and by experience: a lucky training is not
        taken for a good network. Of many trials, those are left out that the model does not learn from.

        Raises:
            FitError: where no Gaussian process can be fitted.
        """
        rng = Random(f"{self.seed}/means")
        trials = Trials(Trials.among(history).measured, ())
        if len(trials.measured) < FEWEST:
            raise FitError(f"fewer than {FEWEST} networks were measured")
        seen = self.seen(trials, rng)
        taught = learnt_from(seen.costs[: len(trials.measured)], rng)
        known = [trials.measured[i] for i in taught]
        kernels = graph_kernels.kernels([self._features(one) for one in known], (), self.scale)
        observed = _observed(trials, seen, taught)
        found = means(kernels, observed, self._foretold(known, (), observed))
        return {one.number: float(mean) for one, mean in zip(known, found, strict=True)}

    def foretold(self, plans: Sequence[Plan]) -> list[float]:
        """Return the costs that experience foretells of networks, of this space or not; all 0 without experience."""
        if self._foresight is None or not plans:
            return [0.0] * len(plans)
        return [float(cost) for cost in self._foresight.costs([features_of(plan) for plan in plans])]

    def ranked(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates by the costs that experience foretells, lowest first; as given without experience."""
        if self._foresight is None or not candidates:
            return list(candidates)
        costs = self._foresight.costs([one.features for one in candidates])
        return [candidates[i] for i in np.argsort(costs, kind="stable")]

    def feasible(self, candidates: Sequence[Candidate], history: Sequence[Individual]) -> list[Candidate]:
        """Return the candidates of the highest chance to be inside the limits of the study."""
        chances = self._feasibility.chances([one.features for one in candidates], history)
        return [one for one, chance in zip(candidates, chances, strict=True) if chance == chances.max()]

    def _gains(
        self,
        trials: Trials,
        seen: Seen,
        new: Sequence[Features],
        rng: Random,
        than: float | None,
    ) -> np.ndarray:
        """The expected improvement of each new network, on the best that is known or on `than`."""
        taught = learnt_from(seen.costs[: len(trials.measured)], rng)
        known = [*(trials.measured[i] for i in taught), *trials.running]
        kernels = graph_kernels.kernels([self._features(one) for one in known], new, self.scale)
        observed = _observed(trials, seen, taught)
        return improvement(kernels, observed, than, self._foretold(known, new, observed))

    def _foretold(
        self, known: Sequence[Individual], new: Sequence[Features], observed: Observations
    ) -> Foretold | None:
        if self._foresight is None:
            return None
        return self._foresight.weighed({one.digest: self._features(one) for one in known}, new, observed)

    @cached_property
    def _foresight(self) -> Foresight | None:
        """What experience says of this space, None without experience."""
        return Foresight(self.experience, self._drawn, self.scale) if self.experience else None

    @cached_property
    def scale(self) -> graph_kernels.Scale:
        """How far apart networks of the space usually are."""
        return graph_kernels.scale(self._drawn)

    @cached_property
    def _drawn(self) -> list[Features]:
        """Some networks of the space, whether they are inside the limits or not."""
        rng = Random(f"{self.seed}/scale")
        drawn = filter(None, [self._of(self.space.draw(rng)) for _ in range(SCALED)])
        return [one.features for one in {one.digest: one for one in drawn}.values()]

    def _of(self, point: Point) -> Network | None:
        """What a point builds, None where it cannot be built."""
        try:
            return self._network(point.genome, tuple(point.searched.items()))
        except (GenomeError, DomainError):
            return None

    def _features(self, one: Individual) -> Features:
        """The features of a trial: those of the candidate that it was, or computed once where a study is resumed."""
        return self._trained(one.genome, tuple(one.searched.items())).features

    def _resolved(self, written: Genome, values: tuple[tuple[str, Value], ...]) -> Network:
        point = Point(written, dict(values))
        plan = genome.resolve(written)
        digest = digest_of(genome.digest(plan), point.searched)
        features = graph_kernels.features(self.space, point, plan)
        return Network(digest, features, is_inside(self.space, plan))


def _observed(trials: Trials, seen: Seen, taught: Sequence[int]) -> Observations:
    """What was seen of the measured trials at these places, in units of the space."""
    even = np.array([_is_even(trials.measured[one.trial]) for one in seen.sights])
    return observations(seen.sights, target_transform.scores(seen.costs, even), taught)


def _is_even(one: Individual) -> bool:
    """Whether a trial is a draw, not a child of others."""
    return one.origin is None or not one.origin.parents
