"""bayes: Bayesian optimisation with a Gaussian process over graphs (NAS-BOWL: Ru et al., ICLR 2021, arXiv:2006.07556;
here with a sum of kernels, see `search.samplers.surrogate`)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from search.samplers.base import Individual, Origin, Proposal
from search.samplers.evolve import Evolve, child
from search.samplers.registry import sampler
from search.samplers.surrogate.errors import FitError
from search.space import mutations
from search.space.filled import filled
from search.space.known_answers import point_of
from search.space.mutation_sites import sites
from search.space.space import Space

if TYPE_CHECKING:
    from search.samplers.surrogate.model import Surrogate, Trials

log = logging.getLogger("search")

INITIAL = 10  # networks spread over sizes before the first is chosen by the model
INITIAL_OF_EXPERIENCE = 5  # the same, where experience foretells the costs of networks
LIKELY = 0.2  # the first networks are then chosen among this share of the draws, that of the lowest costs
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
PARENTS = 50  # best trials among which a tournament as in evolve chooses: mostly one of the best ten


@sampler("bayes", proposes=True, names_parents=True, former=("kernel",))
class Bayes:
    """Proposes the candidate of greatest expected improvement.

    Candidates are children of the best networks and even draws. A running trial counts as if it had the result that
    the model predicts, so that parallel workers spread (kriging believer: Ginsbourger et al., 2010).
    """

    name = "bayes"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1, experience: bool = True) -> None:
        """experience: whether it begins with what earlier studies found on other images, for one objective."""
        self.space, self.seed = space, seed
        self._experience = experience and objectives == 1
        self._fills = objectives == 1 and bool(space.limits)
        self._evolve = Evolve(space, seed, objectives)
        self._has_failed = False

    @property
    def _initial(self) -> int:
        return INITIAL if self._model.experience is None else INITIAL_OF_EXPERIENCE

    @cached_property
    def _model(self) -> Surrogate:
        from search.samplers.surrogate.experience import shipped
        from search.samplers.surrogate.model import Surrogate  # loads SciPy

        return Surrogate(self.space, self.seed, shipped() if self._experience else None)

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose the most promising of some hundred candidates; a child of evolution where no model can be fitted."""
        from search.samplers.surrogate.model import Trials

        rng = Random(f"{self.seed}/{len(history)}")
        known = {*avoid, *(one.digest for one in history)}
        trials = Trials.among(history)
        try:
            if trials.begun < self._initial or len(trials.measured) < FEWEST:
                found = self._spread(trials.begun, history, known, rng)
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

    def _spread(
        self, begun: int, history: Sequence[Individual], known: Collection[str], rng: Random
    ) -> Proposal | None:
        """One of some draws, by its place among them by parameters: the middle, then the quarters, the eighths."""
        candidates = self._model.distinct(self._draws(rng), known, CANDIDATES)
        if not candidates:
            return None
        likely = self._model.feasible(candidates, history)
        if not any(one.violation > 0 for one in history):  # what is likely good is mostly large
            likely = self._model.likely(likely, LIKELY)
        likely.sort(key=lambda one: one.params)
        return likely[int(halved(begun + 1) * len(likely))].proposal

    def _expected(
        self, history: Sequence[Individual], trials: Trials, known: Collection[str], rng: Random
    ) -> Proposal | None:
        """The most promising of children and draws."""
        seen = self._model.seen(trials, rng)
        ended = seen.costs[: len(trials.measured)].tolist()
        best = sorted(range(len(ended)), key=ended.__getitem__)[:PARENTS]
        explores = len(history) % EXPLORES == 0
        children = () if explores else self._children([trials.measured[i] for i in best], rng)
        candidates = self._model.distinct(chain(self._draws(rng), children), known, CANDIDATES)
        if not candidates:
            return None
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


def halved(i: int) -> float:
    """Return the i-th number of van der Corput's sequence, from 1: 1/2, 1/4, 3/4, 1/8 and so on."""
    return int(f"{i:b}"[::-1], 2) / (1 << i.bit_length())
