"""auto: bayes where a training takes long, evolve where many short trainings teach as much as a model."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from statistics import median
from typing import Protocol

from search.samplers.base import AUTO, Individual, Proposal
from search.samplers.bayes import Bayes
from search.samplers.evolve import INITIAL, Evolve
from search.samplers.registry import sampler
from search.space.space import Space

log = logging.getLogger("search")

# median training from which a model that takes some tenths of a second to ask is worth its time
LONG_SECONDS = 3.0
LEAST_PROGRESS = 0.05  # of a training that was pruned, to tell from it how long a whole one takes
MANY = 500  # measured trials, from which a model of some hundred of them knows no more than evolution does


class Timed(Protocol):
    """A trial as far as the choice reads it; an `Individual` is one."""

    @property
    def is_measured(self) -> bool: ...

    @property
    def seconds(self) -> float: ...

    @property
    def progress(self) -> float: ...


@sampler("auto", proposes=True, names_parents=True, learns=True)
class Auto:
    """Chooses between bayes and evolve, and logs once which and why."""

    name = "auto"

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1, experience: str = AUTO) -> None:
        """experience: as of `Bayes`."""
        made = (Bayes(space, seed, objectives, experience), Evolve(space, seed, objectives))
        self._samplers: dict[str, Bayes | Evolve] = {one.name: one for one in made}
        self._logged = ""

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        """Propose what the sampler that fits the study would."""
        name, why = chosen(history)
        if why and name != self._logged:
            self._logged = name
            log.info("sampler auto: using %s (%s)", name, why)
        return self._samplers[name].propose(history, avoid)


def chosen(history: Sequence[Timed]) -> tuple[str, str]:
    """Return which sampler fits a study with these trials, and why; the reason is empty while too few tell.

    The first trials alone say how long a whole training takes, so that a study that is resumed chooses the same.
    """
    measured = [one for one in history if one.is_measured and one.seconds > 0]
    if len(measured) < INITIAL:
        return Bayes.name, ""
    if len(measured) > MANY:
        return Evolve.name, f"more than {MANY} networks were trained"
    usual = median(one.seconds / max(one.progress, LEAST_PROGRESS) for one in measured[:INITIAL])
    told = f"a whole training of the first {INITIAL} networks takes {usual:.1f} s at the median"
    if usual < LONG_SECONDS:
        return Evolve.name, f"{told}, under {LONG_SECONDS:.0f} s"
    return Bayes.name, f"{told}, {LONG_SECONDS:.0f} s or more"
