"""What a network comes to that stops early, at thresholds from the images that it is measured on."""

from __future__ import annotations

from collections.abc import Sequence

from genome.exits.calibration import fitted_temperature
from genome.exits.curve import Seen, Target, curve, outcome, picked
from search.storage.trial_report import Stopped


def calibrated(seen: Seen) -> Seen:
    """Return the same with the temperature of each exit that fits the labels best."""
    return seen._replace(temperatures=tuple([fitted_temperature(z, seen.labels) for z in seen.logits]))


def stopped(seen: Seen, costs: Sequence[float], drop: float) -> Stopped:
    """Return what the cheapest thresholds of entropy come to that lose at most `drop`.

    seen: of the validation images, calibrated.  costs: of an image that leaves at each exit, in any unit.  drop: how
    far the accuracy may be below that of the last exit, as a share of the images.
    """
    if len(costs) == 1:
        return Stopped(costs[0], seen.accuracies()[0], (1.0,))
    point = picked(curve("entropy", seen, costs), Target("drop", drop), seen.accuracies()[-1])
    found = outcome(point.rule, seen, costs)
    return Stopped(found.cost, found.accuracy, found.shares)
