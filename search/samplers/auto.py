"""auto: the kernel where a training is long beside choosing it, evolution where many short ones teach as much."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from statistics import median

from search.samplers.base import Individual, Proposal
from search.samplers.bayes import Kernel
from search.samplers.evolve import INITIAL, Evolve
from search.space.space import Space

log = logging.getLogger("search")

LONG_SECONDS = (
    3.0  # of a training, from which a model that takes some tenths of a second to ask is worth its time
)
LEAST_PROGRESS = 0.05  # of a training that was pruned, to tell from it how long a whole one takes
MANY = 500  # measured trials, from which a model of some hundred of them knows no more than evolution does


class Auto:
    """A sampler that chooses between ours, and says once which and why (see `search.proposal.Proposer`)."""

    word = "auto"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1) -> None:
        self._evolve, self._kernel = Evolve(space, seed, objectives), Kernel(space, seed, objectives)
        self._said = ""

    def propose(self, past: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose what the sampler that fits the study would."""
        name, why = chosen(past)
        if why and name != self._said:
            self._said = name
            log.info("sampler auto: %s, for %s", name, why)
        return (self._kernel if name == "kernel" else self._evolve).propose(past, avoid)


def chosen(past: Sequence[Individual]) -> tuple[str, str]:
    """Return which sampler fits a study with these trials, and why; the reason is empty while too few tell.

    The first trials alone say how long a whole training takes, so that a study that is resumed chooses the same.
    """
    measured = [one for one in past if one.is_measured and one.seconds > 0]
    if len(measured) < INITIAL:
        return "kernel", ""
    if len(measured) > MANY:
        return "evolve", f"more than {MANY} networks were trained"
    usual = median(one.seconds / max(one.progress, LEAST_PROGRESS) for one in measured[:INITIAL])
    if usual < LONG_SECONDS:
        return "evolve", f"a training takes {usual:.1f} s, under {LONG_SECONDS:.0f} s"
    return "kernel", f"a training takes {usual:.1f} s, and each shall teach the most"
