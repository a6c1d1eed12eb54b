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
    # of the other objectives, lower is better
    costs: tuple[float, ...] = ()
    # logarithm of the multiply-adds
    size: float = 0.0
    # after the whole training, None where it was not trained to the end
    end: float | None = None


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


def should_stop(
    name: str, epoch: int, epochs: int, me: Climb, others: Sequence[Climb], ceiling: float
) -> bool:
    """Whether the pruner of that name stops the trial that climbed as `me` at the rung of `epoch`.

    Its peers are the trials at costs no higher than its own, of most pruners those that passed the same rung: with
    several objectives only such a trial shows that this one is beaten.

    epochs: of a whole training. ceiling: the score of a network without error: 1 for accuracy, 0 for loss.
    """
    peers = [other for other in others if no_dearer(other, me)]
    found = entry(name)
    if found.reads_climbs:
        return found.stops(epoch, epochs, me, peers, ceiling)
    return found.stops(me.scores[epoch], [peer.scores[epoch] for peer in peers if epoch in peer.scores])


def no_dearer(other: Climb, me: Climb) -> bool:
    """Whether another trial's costs are nowhere above one's own."""
    return all(theirs <= mine for theirs, mine in zip(other.costs, me.costs, strict=True))
