"""The seconds of one call, from separated rounds of repeats. Only the standard library: runs where this package is not.

A neighbour that uses the same core makes the clock of a call run several times as long, while the processor seconds of
the process grow by what the two do to each other's caches alone. So work of one thread is timed by the lesser of both.
The first calls after each turn of a neighbour find cold caches, up to half of all calls of less than a millisecond: a
round counts its lower quartile.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

WARM_UP_SECONDS, WARM_UP_PASSES = 0.05, 3
ROUND_SECONDS, ROUND_PASSES = 0.03, 3  # of a round, both at least
PAUSE_SECONDS = 0.01  # from one round to the next, so that a short disturbance does not meet all of them
FEWEST_ROUNDS, MOST_ROUNDS = 6, 21
NOISE = 0.02  # of the seconds: with less, no further round is made
MOST_SECONDS = 3.0  # after which no further round is made once there are the fewest
CONFIDENCE = 0.95

Spent = Callable[[Callable[[], object]], float]  # the seconds of a call


class Timing(NamedTuple):
    """How long a call takes, in seconds."""

    seconds: float  # the median of the rounds, each the lower quartile of its calls
    noise: float  # half the width of the 95 % confidence interval of that median
    passes: int  # calls that were timed


def on_the_clock(run: Callable[[], object]) -> float:
    """Return the seconds of the clock of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def on_the_processor(run: Callable[[], object]) -> float:
    """Return the processor seconds of this process for one call, those of the clock where these are fewer."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    processor = time.process_time() - processor
    return min(time.perf_counter() - clock, processor)


def timed(run: Callable[[], object], spent: Spent = on_the_clock) -> Timing:
    """Time a call in rounds, until the noise of their median is small or the time is up."""
    began, rounds, passes = time.perf_counter(), list[float](), 0
    _repeated(run, spent, WARM_UP_SECONDS, WARM_UP_PASSES)
    while not _is_enough(rounds, time.perf_counter() - began):
        time.sleep(PAUSE_SECONDS)
        found = _repeated(run, spent, ROUND_SECONDS, ROUND_PASSES)
        rounds.append(sorted(found)[len(found) // 4])
        passes += len(found)
    return Timing(statistics.median(rounds), half_width(rounds), passes)


def half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % confidence interval of the median, which assumes no distribution.

    Its ends are the values that have so many others outside that the median lies beyond them in 5 % of all samples.
    """
    ordered, out = sorted(values), _outside(len(values))
    return (ordered[len(ordered) - 1 - out] - ordered[out]) / 2


def _outside(count: int) -> int:
    """Return the most values outside each end of the interval: 0 of up to 8 values, 1 of 9, 4 of 18."""
    tail, found = 0.5**count, 0
    while found + 1 < count / 2:
        tail += comb(count, found + 1) * 0.5**count
        if 2 * tail > 1 - CONFIDENCE:
            break
        found += 1
    return found


def _repeated(run: Callable[[], object], spent: Spent, seconds: float, passes: int) -> list[float]:
    found, began = list[float](), time.perf_counter()
    while len(found) < passes or time.perf_counter() - began < seconds:
        found.append(spent(run))
    return found


def _is_enough(rounds: Sequence[float], seconds: float) -> bool:
    if len(rounds) < FEWEST_ROUNDS:
        return False
    is_over = len(rounds) >= MOST_ROUNDS or seconds >= MOST_SECONDS
    return is_over or half_width(rounds) <= NOISE * statistics.median(rounds)
