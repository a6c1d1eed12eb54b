"""bayes: Bayesian optimisation with a Gaussian process over graphs (NAS-BOWL: Ru et al., ICLR 2021, arXiv:2006.07556;
here with a sum of kernels, see `search.samplers.surrogate`)."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from search.samplers.base import AUTO, NONE, Individual, Origin, Proposal
from search.samplers.evolve import Evolve, child
from search.samplers.offspring import offspring
from search.samplers.registry import sampler
from search.samplers.surrogate.errors import FitError
from search.space import mutations
from search.space.filled import filled
from search.space.known_answers import point_of
from search.space.mutation_sites import sites
from search.space.space import Space

if TYPE_CHECKING:
    from search.samplers.surrogate.model import Candidate, Surrogate, Trials

log = logging.getLogger("search")

INITIAL = 10  # networks spread over sizes before the first is chosen by the model
INITIAL_OF_EXPERIENCE = 5  # the same, where experience foretells the costs of networks
FEWEST = 3  # measured networks that a model is fitted to
DRAWS = 60  # candidates of each proposal that are drawn evenly from the space
# one proposal in so many is chosen from draws alone, by its expected improvement on the middle of the space: a model
# that errs would never leave the neighbourhood of the best network it has seen
EXPLORES = 4
CHILDREN = (
    400  # candidates of each proposal that are made of the best networks; in a small space many are the same
)
# Under limits, every second draw and every sixth child are made as wide as the limits allow, if there is one objective:
# a shape that is good at a tenth of the operations need not be good at all of them.
FILLED_DRAWS, FILLED_CHILDREN = 2, 6
CANDIDATES = 240  # new networks, after which no more children are made
SMALLER = 0.8  # most params of a network that is sought, of those of the smallest perfect network
PARENTS = 50  # best trials among which a tournament as in evolve chooses: mostly one of the best ten


@sampler("bayes", proposes=True, names_parents=True, learns=True, former=("kernel",))
class Bayes:
    """Proposes the candidate of greatest expected improvement.

    Candidates are children of the best networks and even draws; once several networks are perfect, those
    that are clearly smaller than each of these. A running trial counts as if it had the result that the model predicts,
    so that parallel workers spread (kriging believer: Ginsbourger et al., 2010).
    """

    name = "bayes"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1, experience: str = AUTO) -> None:
        """experience: of other images, with which it begins if there is one objective: `auto` for that of the package,
        `none`, or a file of `genome experience`."""
        self.space, self.seed = space, seed
        self._experience = experience if objectives == 1 else NONE
        self._fills = objectives == 1 and bool(space.limits)
        self._evolve = Evolve(space, seed, objectives)
        self._has_failed = False

    @property
    def _initial(self) -> int:
        return INITIAL if self._model.experience is None else INITIAL_OF_EXPERIENCE

    @cached_property
    def _model(self) -> Surrogate:
        from search.samplers.surrogate.experience import named
        from search.samplers.surrogate.model import Surrogate  # loads SciPy

        return Surrogate(self.space, self.seed, named(self._experience))

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose the most promising of some hundred candidates; a child of evolution where no model can be fitted."""
        from search.samplers.surrogate.model import Trials

        rng = Random(f"{self.seed}/{len(history)}")
        known = {*avoid, *(one.digest for one in history)}
        trials = Trials.among(history)
        try:
            if trials.begun < self._initial or len(trials.measured) < FEWEST:
                found = self._first(trials.begun, history, known, rng)
            else:
                found = self._expected(history, trials, known, rng)
        except FitError as error:
            self._report(error)
            found = None
        return found or self._evolve.propose(history, avoid)

    def _report(self, error: FitError) -> None:
        """Log it once: the same is likely to happen at each of the next trials."""
        if not self._has_failed:
            log.warning("sampler bayes: %s; evolve proposes until a model can be fitted", error)
        self._has_failed = True

    def _first(
        self, begun: int, history: Sequence[Individual], known: Collection[str], rng: Random
    ) -> Proposal | None:
        """The network of lowest cost foretold among draws and their offspring; without experience, one of a spread."""
        if self._model.experience is None or any(one.violation > 0 for one in history):
            return self._spread(begun, history, known, rng)
        bred = self._bred(known, rng)
        return bred[0].proposal if bred else None

    def _spread(
        self, begun: int, history: Sequence[Individual], known: Collection[str], rng: Random
    ) -> Proposal | None:
        """One of some draws, by its place among them by parameters: the middle, then the quarters, the eighths."""
        candidates = self._model.distinct(self._draws(rng), known, CANDIDATES)
        if not candidates:
            return None
        likely = sorted(self._model.feasible(candidates, history), key=lambda one: one.size)
        return likely[int(halved(begun + 1) * len(likely))].proposal

    def _bred(self, known: Collection[str], rng: Random) -> list[Candidate]:
        return offspring(self.space, self._model, self._draws(rng), known, self._filled, rng)

    def _expected(
        self, history: Sequence[Individual], trials: Trials, known: Collection[str], rng: Random
    ) -> Proposal | None:
        """The most promising of children and draws."""
        seen, measured = self._model.seen(trials, rng), trials.measured
        ranks = [
            (cost, measured[i].perfect_params or 0, i)
            for i, cost in enumerate(seen.costs[: len(measured)].tolist())
        ]
        best = [measured[i] for *_, i in sorted(ranks)[:PARENTS]]
        explores = len(history) % EXPLORES == 0
        if not explores:
            others: Iterable[Proposal] = self._children(best, rng)
        else:
            others = (
                [] if self._model.experience is None else [one.proposal for one in self._bred(known, rng)]
            )
        candidates = self._model.distinct(chain(self._draws(rng), others), known, CANDIDATES)
        if not candidates:
            return None
        candidates = smaller(candidates, measured) or candidates
        return self._model.most_promising(candidates, history, trials, seen, rng, explores).proposal

    def _children(self, parents: Sequence[Individual], rng: Random) -> Iterable[Proposal]:
        able = {*mutations.MATED, *(site.move for site in sites(self.space).values())}
        evenly = [float(word in able) for word in mutations.moves(self.space)]
        for i in range(CHILDREN):
            made = child(self.space, parents, evenly, 1, rng)
            if made is not None:
                origin = made.origin._replace(by=self.name)
                yield self._filled(Proposal.of(made.point, origin), i % FILLED_CHILDREN == 0)

    def _draws(self, rng: Random) -> Iterable[Proposal]:
        for i in range(DRAWS):
            point = point_of(self.space, lambda _, domain: domain.draw(rng))
            yield self._filled(Proposal.of(point, Origin(self.name)), i % FILLED_DRAWS == 0)

    def _filled(self, made: Proposal, has_turn: bool) -> Proposal:
        """A proposal as wide as the limits allow, where it is its turn and there are limits."""
        wide = filled(self.space, made.point) if self._fills and has_turn else None
        if wide is None or wide == made.point:
            return made
        origin = made.origin._replace(moves=(*made.origin.moves, "widths to the limits"))
        return Proposal.of(wide, origin)


def smaller(candidates: Sequence[Candidate], measured: Sequence[Individual]) -> list[Candidate]:
    """Return those of at most `SMALLER` times the params of each perfect network; none before two are perfect."""
    perfect = [one.perfect_params for one in measured if one.perfect_params is not None]
    most = math.log1p(SMALLER * min(perfect)) if len(perfect) > 1 else -math.inf
    return [one for one in candidates if one.size <= most]


def halved(i: int) -> float:
    """Return the i-th number of van der Corput's sequence, from 1: 1/2, 1/4, 3/4, 1/8 and so on."""
    return int(f"{i:b}"[::-1], 2) / (1 << i.bit_length())
