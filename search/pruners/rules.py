"""Rules that stop trials early, by the scores of other trials at the same rung.

Optuna's own pruners refuse studies of several objectives; these look at one score (higher is better) and
at the costs known before training, so a small network is compared with networks no larger than itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.pruners.registry import entry, pruner

MEDIAN_PEERS = 4  # fewest peers of a median
HALVING_KEEPS = 3  # one in three goes on from each rung (eta of Li et al., MLSys 2020, arXiv:1810.05934)


@dataclass(frozen=True)
class Climb:
    """What a trial reached at its rungs."""

    # by epoch, higher is better
    scores: Mapping[int, float]
    # those known before training, lower is better
    costs: tuple[float, ...] = ()


@pruner("none")
def never(score: float, peers: Sequence[float]) -> bool:
    """No trial stops early."""
    return False


@pruner("median")
def below_median(score: float, peers: Sequence[float]) -> bool:
    """Whether `score` is worse than the median of its peers at this rung; never with under four peers."""
    return len(peers) >= MEDIAN_PEERS and score < statistics.median(peers)


@pruner("halving")
def outside_top_share(score: float, peers: Sequence[float]) -> bool:
    """Whether `score` is outside the best third seen at this rung: asynchronous successive halving.

    The rule of Li et al. (MLSys 2020, arXiv:1810.05934), stopping instead of pausing: each trial is judged
    when it arrives, against those that came before, so no slot ever waits for another.
    """
    seen = len(peers) + 1
    if seen < HALVING_KEEPS:
        return False
    ahead = sum(peer > score for peer in peers)
    return ahead >= max(1, seen // HALVING_KEEPS)


@pruner("asha", pauses=True)
def asha(score: float, peers: Sequence[float]) -> bool:
    """No trial stops: each pauses at its rung until it is promoted or the study ends."""
    return False


@pruner("hyperband", pauses=True, has_brackets=True)
def hyperband(score: float, peers: Sequence[float]) -> bool:
    """No trial stops: each pauses at the rungs of its bracket until it is promoted or the study ends."""
    return False


def should_stop(name: str, epoch: int, me: Climb, others: Sequence[Climb]) -> bool:
    """Whether the pruner of that name stops the trial that climbed as `me` at the rung of `epoch`.

    Its peers are the trials that passed the same rung at costs no higher than its own: with several
    objectives only such a trial shows that this one is beaten.
    """
    peers = [other.scores[epoch] for other in others if epoch in other.scores and no_dearer(other, me)]
    return entry(name).stops(me.scores[epoch], peers)


def no_dearer(other: Climb, me: Climb) -> bool:
    """Whether another trial's costs are nowhere above one's own."""
    return all(theirs <= mine for theirs, mine in zip(other.costs, me.costs, strict=True))
