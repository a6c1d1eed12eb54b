"""kernel: Bayesian optimisation with a Gaussian process over graphs (NAS-BOWL: Ru et al., ICLR 2021,
arXiv:2006.07556; here with a sum of kernels, see `search.samplers.likeness`)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from random import Random
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

import genome
from genome import Genome, GenomeError
from genome.domain import DomainError
from search.samplers import (
    extrapolation,
    feasibility,
    gp,
    graph_kernels,
    multi_fidelity,
    target_transform,
)
from search.samplers.base import Individual, Origin, Proposal
from search.samplers.evolve import Evolve, child
from search.samplers.extrapolation import Sight
from search.samplers.graph_kernels import Features
from search.samplers.multi_fidelity import Observations
from search.space import mutations
from search.space.mutation_sites import sites
from search.space.space import Space

log = logging.getLogger("search")

INITIAL = 10  # networks spread over sizes before the first is chosen by the model
FEWEST = 3  # measured networks that a model is fitted to
SCALED = 100  # draws, by which the scale of the space is measured
DRAWS = 60  # of each proposal, evenly from the space
# one proposal in so many is of draws alone, the one that is expected to better the middle of the space most: a model
# that errs would never leave the best it met, and of draws it finds only the strange likely to better that
EXPLORES = 4
CHILDREN = 400  # of each proposal, of the best networks; in a small space many are the same
CANDIDATES = 240  # new networks, after which no more children are made
PARENTS = 50  # a tournament of evolve's among them: mostly of the best ten
BEST, NEWEST, OTHERS = (
    150,
    100,
    100,
)  # trials that are learnt from, where there are more: cost grows as their cube
LEAST_PROGRESS = 0.05  # of a training, for the noise of what it came to
REMEMBERED = 1 << 13  # networks whose features are kept


class Network(NamedTuple):
    """What a genome comes to."""

    digest: str
    features: Features


class Candidate(NamedTuple):
    """A network that may be proposed."""

    proposal: Proposal
    features: Features


class Trials(NamedTuple):
    """Those that a model learns from: what was measured, and what is running."""

    measured: Sequence[Individual]
    running: Sequence[Individual]

    @classmethod
    def among(cls, past: Sequence[Individual]) -> Trials:
        """Return those of all trials."""
        measured = [one for one in past if one.is_measured and one.violation <= 0]
        return cls(measured, [one for one in past if one.is_running])

    @property
    def begun(self) -> int:
        """How many there are."""
        return len(self.measured) + len(self.running)

    @property
    def are_few(self) -> bool:
        """Whether a model can't tell much yet."""
        return self.begun < INITIAL or len(self.measured) < FEWEST


class Seen(NamedTuple):
    """What was seen of measured trials: first where each ended, and its cost as one number, lower is better."""

    sights: Sequence[Sight]
    costs: np.ndarray


class Kernel:
    """A sampler: the candidate of greatest expected improvement (see `search.proposal.Proposer`).

    Candidates are children of the best networks and even draws. What is still running counts as if it had come to
    what is expected of it, so that workers beside each other spread (kriging believer: Ginsbourger et al., 2010).
    """

    word = "kernel"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1) -> None:
        self.space, self.seed = space, seed
        self._evolve = Evolve(space, seed, objectives)
        self._network = lru_cache(maxsize=REMEMBERED)(self._resolved)
        self._sizes: dict[int, np.ndarray | None] = {}  # by the number of the trial
        self._has_failed = False

    def propose(self, past: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose the most promising of some hundred candidates; a child of evolution where no model can be fitted."""
        rng = self._rng(past)
        met = {*avoid, *(one.digest for one in past)}
        trials = Trials.among(past)
        if trials.are_few:
            return self._spread(trials.begun, past, met, rng) or self._evolve.propose(past, avoid)
        try:
            return self._expected(past, trials, met, rng) or self._evolve.propose(past, avoid)
        except gp.FitError as error:
            self._say(error)
            return self._evolve.propose(past, avoid)

    def _rng(self, past: Sequence[Individual]) -> Random:
        return Random(f"{self.seed}/{len(past)}")

    def _say(self, error: gp.FitError) -> None:
        """Tell it once: the same is likely to happen at each of the next trials."""
        if not self._has_failed:
            log.warning("sampler kernel: %s; it goes on as evolve until a model can be fitted", error)
        self._has_failed = True

    def _spread(
        self, begun: int, past: Sequence[Individual], met: Collection[str], rng: Random
    ) -> Proposal | None:
        """One of some draws, by its place among them by parameters: the middle, then the quarters, the eighths."""
        candidates = self._candidates(self._draws(DRAWS, rng), met)
        if not candidates:
            return None
        chances = self._chances([one.features for one in candidates], past)
        likely = [one for one, chance in zip(candidates, chances, strict=True) if chance == chances.max()]
        likely.sort(key=lambda one: float(one.features.sizes[0]))
        return likely[int(halved(begun + 1) * len(likely))].proposal

    def _expected(
        self,
        past: Sequence[Individual],
        trials: Trials,
        met: Collection[str],
        rng: Random,
    ) -> Proposal | None:
        """The candidate of greatest expected improvement, times the chance that it is inside the limits."""
        seen = seen_of(trials.measured, rng)
        ended = seen.costs[: len(trials.measured)]
        parents = [trials.measured[i] for i in np.argsort(ended, kind="stable")[:PARENTS]]
        explores = len(past) % EXPLORES == 0
        children = () if explores else self._children(parents, rng)
        candidates = self._candidates(chain(self._draws(DRAWS, rng), children), met)
        if not candidates:
            return None
        new = [one.features for one in candidates]
        than = target_transform.MIDDLE if explores else None
        gains = self._gains(trials, seen, new, rng, than) * self._chances(new, past)
        return candidates[int(gains.argmax())].proposal

    def _gains(
        self,
        trials: Trials,
        seen: Seen,
        new: Sequence[Features],
        rng: Random,
        than: float | None = None,
    ) -> np.ndarray:
        """The expected improvement of each new network, on the best that is known or on `than`."""
        taught = learnt_from(seen.costs[: len(trials.measured)], rng)
        known = [*(trials.measured[i] for i in taught), *trials.running]
        kernels = graph_kernels.kernels(
            [self._network(one.genome).features for one in known], new, self._scale
        )
        even = np.array([_is_even(trials.measured[one.trial]) for one in seen.sights])
        observed = observations(seen.sights, target_transform.scores(seen.costs, even), taught)
        return improvement(kernels, observed, than)

    def _children(self, parents: Sequence[Individual], rng: Random) -> Iterable[Proposal]:
        able = {*mutations.MATED, *(site.move for site in sites(self.space).values())}
        evenly = [float(word in able) for word in mutations.MOVES]
        for _ in range(CHILDREN):
            made = child(self.space, parents, evenly, 1, rng)
            if made is not None:
                yield made._replace(origin=made.origin._replace(by=self.word))

    def _draws(self, count: int, rng: Random) -> Iterable[Proposal]:
        for _ in range(count):
            yield Proposal(self.space.sample(rng), Origin(self.word))

    def _candidates(self, proposals: Iterable[Proposal], met: Collection[str]) -> list[Candidate]:
        """The first of those that can be built and were not met, each network once."""
        found: dict[str, Candidate] = {}
        for proposal in proposals:
            if len(found) == CANDIDATES:
                break
            try:
                digest, features = self._network(proposal.genome)
            except (GenomeError, DomainError):
                continue
            if digest not in met:
                found.setdefault(digest, Candidate(proposal, features))
        return list(found.values())

    @cached_property
    def _scale(self) -> graph_kernels.Scale:
        """Of the space, by some of its networks."""
        rng = Random(f"{self.seed}/scale")
        return graph_kernels.scale([one.features for one in self._candidates(self._draws(SCALED, rng), ())])

    def _resolved(self, written: Genome) -> Network:
        plan = genome.resolve(written)
        return Network(genome.digest(plan), graph_kernels.features(self.space, written, plan))

    def _chances(self, networks: Sequence[Features], past: Sequence[Individual]) -> np.ndarray:
        """How likely each is inside the limits of the study."""
        refused = self._limited([one for one in past if one.violation > 0])
        if not len(refused):
            return np.ones(len(networks))
        kept = self._limited([one for one in past if one.violation <= 0 and one.is_measured])
        new = np.array([one.sizes[: graph_kernels.LIMITED] for one in networks])
        return feasibility.chances(new, kept, refused)

    def _limited(self, networks: Sequence[Individual]) -> np.ndarray:
        """The sizes that a study may limit, of those that can be built."""
        for one in networks:
            if one.number not in self._sizes:
                self._sizes[one.number] = self._sized(one.genome)
        return np.array([sizes for one in networks if (sizes := self._sizes[one.number]) is not None])

    def _sized(self, written: Genome) -> np.ndarray | None:
        try:
            return graph_kernels.sizes(genome.resolve(written))[: graph_kernels.LIMITED]
        except (GenomeError, DomainError):  # refused as illegal
            return None


def seen_of(measured: Sequence[Individual], rng: Random) -> Seen:
    """Return what was seen of measured trials; several objectives are one by weights that are drawn."""
    sights = extrapolation.sights(measured)
    return Seen(sights, target_transform.scalar(np.array([one.costs for one in sights]), rng))


def observations(seen: Sequence[Sight], scores: np.ndarray, taught: Sequence[int]) -> Observations:
    """Return what was seen of the trials at these places, as of points numbered in their order."""
    point = {trial: i for i, trial in enumerate(taught)}
    chosen = [i for i, one in enumerate(seen) if one.trial in point]
    return Observations(
        np.array([point[seen[i].trial] for i in chosen]),
        np.array([seen[i].is_brief for i in chosen]),
        np.array([1.0 / max(seen[i].progress, LEAST_PROGRESS) for i in chosen]),
        scores[chosen],
    )


def improvement(
    kernels: graph_kernels.Kernels, observed: Observations, than: float | None = None
) -> np.ndarray:
    """Return the expected improvement of each new point on the lowest mean of a measured one, or on `than`.

    The known points are first those that were observed, then those that are running.

    Raises:
        FitError: where no Gaussian process can be fitted to the scores.
    """
    n = int(observed.points.max()) + 1
    measured, running = kernels.known[:, :n, :n], kernels.known[:, n:, :n]
    among = multi_fidelity.among(measured, observed)
    weights = gp.weigh(among, observed.scores, observed.noise)
    posterior = gp.condition(weights, among, observed.scores, observed.noise)
    lowest = posterior.mean(multi_fidelity.between(measured, observed)).min() if than is None else than
    believed = posterior.mean(multi_fidelity.between(running, observed))
    if len(believed):
        observed = observed.believing(believed)
        among = multi_fidelity.among(kernels.known, observed)
        posterior = gp.condition(weights, among, observed.scores, observed.noise)
    new = multi_fidelity.between(kernels.cross, observed), multi_fidelity.at(kernels.own, observed)
    return expected_improvement(*posterior.predict(*new), lowest)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, lowest: float) -> np.ndarray:
    """Return E max(0, lowest - f) for f normal (Jones et al., J. Global Optimization 13, 1998, equation 15)."""
    z = (lowest - mean) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))


def _is_even(one: Individual) -> bool:
    """Whether a trial is a draw, not a child of others."""
    return one.origin is None or not one.origin.parents


def learnt_from(costs: np.ndarray, rng: Random) -> list[int]:
    """Return the places of the trials to learn from: all, or of many the best, the newest, and some others."""
    if len(costs) <= BEST + NEWEST + OTHERS:
        return list(range(len(costs)))
    best = np.argsort(costs, kind="stable")[:BEST].tolist()
    chosen = {*best, *range(len(costs) - NEWEST, len(costs))}
    rest = [i for i in range(len(costs)) if i not in chosen]
    return sorted([*chosen, *rng.sample(rest, OTHERS)])


def halved(i: int) -> float:
    """Return the i-th number of van der Corput's sequence, from 1: 1/2, 1/4, 3/4, 1/8 and so on."""
    return int(f"{i:b}"[::-1], 2) / (1 << i.bit_length())
