"""Whether a trial that has reached a rung, or a point of its learning curve, should stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.config.study import StudyConfig
from search.objective import Objective, learnt
from search.proposals.history import History
from search.pruners.curve_forecast import is_hopeless
from search.pruners.rules import should_stop


@dataclass(frozen=True)
class Pruning:
    """The pruning of one study."""

    config: StudyConfig
    history: History

    @property
    def goal(self) -> Objective:
        """The objective by which trials are compared during training."""
        return learnt(self.config.objectives)

    def value(self, scores: Mapping[str, float]) -> float:
        """Return the value of the goal, from the scores of an epoch."""
        return scores[self.goal.measure.field]

    def shall_stop(self, number: int, epoch: int) -> bool:
        """Whether a trial ends at this epoch: it is too far behind others, or its learning curve cannot win."""
        config, climbs = self.config, self.history.climbs()
        own = climbs.pop(number)
        others = list(climbs.values())
        epochs, ceiling = config.recipe.epochs, -self.goal.cost(self.goal.measure.perfect)
        if epoch in config.rungs and should_stop(config.pruner, epoch, epochs, own, others, ceiling):
            return True
        return epoch in config.curve_points and is_hopeless(epoch, epochs, own, others, ceiling)
