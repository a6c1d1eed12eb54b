"""The limits of the search: the budget, the number of trials, an exhausted space, networks in training."""

from __future__ import annotations

from dataclasses import dataclass

from search import formatting
from search.proposals.screening import Screener
from search.results import target
from search.run.active_trial import ActiveTrial, ActiveTrials, State
from search.run.context import Context
from search.run.peers import Peers
from search.run.promotion import Promotion
from search.space.members import DOUBTFUL, is_used_up, members
from search.storage.record import Record

FRUITLESS = 500  # trials in a row without training, after which any space is left


@dataclass
class Limits:
    """Whether a further trial may be proposed, and a waiting one be trained."""

    run: Context
    active: ActiveTrials
    promotion: Promotion
    peers: Peers
    screener: Screener | None = None  # where the study screens candidates
    fruitless: int = 0  # trials in a row without training
    reached: Record | None = None  # the first trial that reached the target of the study
    compared: int = 0  # how many results were compared with the target

    def reason_to_stop(self) -> str | None:
        """Return why no further trial begins, None where one may."""
        run = self.run
        if run.stop_asked():
            return "stopped by hand"
        if self.is_reached() and self.reached:
            return target.sentence(self.reached, run.config)
        if run.budget.is_empty() or self.promotion.is_late():
            return run.budget.why_empty()
        begun = len(self.active.of(State.RUNNING, State.WAITING, State.PAUSED)) + self.screenings()
        begun += len(self.peers.trials.numbers)
        if run.config.trials is not None and run.history.counted + begun >= run.config.trials:
            return f"all {run.config.trials} trials were made"
        if self.fruitless >= DOUBTFUL and is_used_up(run.config.space, run.history.digests):
            what = "training" if run.config.train.holes else "network"
            count = formatting.some(len(members(run.config.space) or ()), what)
            return f"the space holds {count}, and each has a trial; widen the space to search on"
        if self.fruitless >= FRUITLESS:
            return (
                f"{FRUITLESS} trials in a row were refused, or equal to earlier ones: "
                "widen the space or loosen the limits"
            )
        return None

    def is_reached(self) -> bool:
        """Whether a trial has reached the target of the study."""
        valued, config = self.run.history.valued, self.run.config
        if self.reached is None and config.until:
            self.reached = target.reached(valued[self.compared :], config)
            self.compared = len(valued)
        return self.reached is not None

    def may_begin(self, trial: ActiveTrial) -> bool:
        """Whether a trial that waits may be trained now."""
        run = self.run
        if run.budget.is_empty() or self.promotion.is_late() or run.stop_asked() or self.is_reached():
            return False
        running = len(self.active.running())
        is_too_many = self.peers.is_one_too_many(trial.number, run.history.counted, running)
        return not (is_too_many or self.has_running_twin(trial))

    def has_running_twin(self, trial: ActiveTrial) -> bool:
        """Whether the same network is being trained, here or by another coordinator."""
        digest = trial.candidate.digest
        is_here = any(other.candidate.digest == digest for other in self.active.running().values())
        return is_here or self.peers.trials.have(digest, trial.number)

    def waits_for_peers(self) -> bool:
        """Whether the search must wait for other coordinators, because the finale ranks the trials of all.

        They train trials, left trials to recover, or train the network of a trial that waits here.
        """
        is_waiting = any(self.has_running_twin(trial) for trial in self.active.waiting())
        return bool(self.peers.trials.trained or self.peers.trials.abandoned) or is_waiting

    def screenings(self) -> int:
        """Return how many trials will begin after screening."""
        return len(self.screener.batches) if self.screener else 0
