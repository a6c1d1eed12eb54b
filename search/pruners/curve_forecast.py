"""Forecast: whether a training may still become the best, from its learning curve and those of finished trainings.

How much a network still gains depends on the schedule more than on the network: the learning rate falls at the end of
every training. The shortfall of a trial is therefore extrapolated by the factors, nearly log-normal, by which it shrank
from the same epoch on in finished trials, and not by a curve of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

from search.pruners.rules import Climb, no_dearer
from search.pruners.shortfall import SMALLEST_SPREAD, bounded

FINISHED_PEERS = 5  # fewest finished trials from which the spread is known
SMALLEST_CHANCE = 0.05


def is_hopeless(epoch: int, epochs: int, me: Climb, others: Sequence[Climb], ceiling: float) -> bool:
    """Whether the chance that this trial beats the best by its last epoch is under 5 %.

    Its peers are trials that were trained to the end at costs no higher than its own.

    ceiling: the score of a network without error: 1 for accuracy, 0 for loss (as scores: higher is better).
    """
    peers = [c for c in others if epoch in c.scores and epochs in c.scores and no_dearer(c, me)]
    if len(peers) < FINISHED_PEERS:
        return False
    now = [bounded(peer.scores[epoch], ceiling) for peer in peers]
    end = [bounded(peer.scores[epochs], ceiling) for peer in peers]
    return chance_to_beat(min(end), bounded(me.scores[epoch], ceiling), now, end) < SMALLEST_CHANCE


def chance_to_beat(best: float, mine: float, now: Sequence[float], end: Sequence[float]) -> float:
    """Return the chance that `mine` shrinks below `best`, as others shrank from `now` to `end`; all above 0."""
    gains = [math.log(late / early) for early, late in zip(now, end, strict=True)]
    spread = max(stdev(gains), SMALLEST_SPREAD) * math.sqrt(
        1 + 1 / len(gains)
    )  # of one more, and of the mean
    return NormalDist(math.log(mine) + fmean(gains), spread).cdf(math.log(best))
