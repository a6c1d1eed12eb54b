"""What a network that stops early comes to: its curve, the paper's screening on the same scores, and its speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import genome
from benchmarks._rounds import Compared, measure
from genome.exits.curve import Outcome, Point, Seen, Target, curve, outcome, picked
from genome.exits.rules import Rule, Threshold
from genome.exits.scores import SCORES
from genome.exits.segments import costs, segments
from genome.exits.table import table_of, traded
from genome.exits.thresholds import PAPER
from search.results.exits.solved import seen_of
from search.results.trained import Trained
from trainer import Data

DROP = 0.003  # of accuracy on the validation images, which thresholds may lose


class Scored(NamedTuple):
    """The logits of every exit, and the curve that the validation images give."""

    valid: Seen
    test: Seen
    prices: tuple[int, ...]  # multiply-adds up to each exit
    points: tuple[Point, ...]

    def at(self, drop: float) -> Point:
        """Return the cheapest point that loses at most so much on the validation images."""
        return picked(self.points, Target("drop", drop), self.valid.accuracies()[-1])

    def on_test(self, rule: Rule) -> Outcome:
        """Return what a rule comes to on the test images."""
        return outcome(rule, self.test, self.prices)


def scored(one: Trained, data: Data) -> Scored:
    """Run a network on the validation and the test images, and solve its thresholds on the former."""
    prices = costs(segments(one.plan.steps, one.plan.exits))
    valid, test = (seen_of(one.network, one, split) for split in (data.valid, data.test))
    return Scored(valid, test, prices, curve("entropy", valid, prices))


class Screened(NamedTuple):
    """How many times the multiply-adds of the curve the paper's screening needs."""

    least: float  # over the accuracies that it reaches
    median: float  # likewise
    at_drop: float  # for accuracies at most `DROP` below that of the last exit


def screening(found: Scored) -> Screened:
    """Compare every combination of the paper's thresholds with the curve, on the same scores."""
    valid, prices, points = found.valid, found.prices, found.points
    table, count = table_of("entropy", valid.logits, valid.labels, prices), len(valid.labels)
    theirs = [traded(table, tuple([-one for one in base])) for base in product(PAPER, repeat=len(prices) - 1)]
    ratios = [
        one.cost / next(p.cost for p in points if p.accuracy >= one.hits / count - 1e-12) for one in theirs
    ]
    enough = [one.cost for one in theirs if one.hits / count >= valid.accuracies()[-1] - DROP - 1e-12]
    cheapest = min(enough, default=prices[-1])
    return Screened(min(ratios), float(np.median(ratios)), cheapest / found.at(DROP).cost)


class Speed(NamedTuple):
    """A network that stops early against the same network run whole, on the same images."""

    macs: float  # how many times fewer multiply-adds
    whole: Compared  # the whole network's time over ours
    nobody: Compared  # the time where no image leaves over that of the whole network


def speed(one: Trained, rule: Rule, sample: Tensor, size: int, share: float | None = None) -> Speed:
    """Time batches of `size` images. share: of the ratio of multiply-adds, which the speed-up should reach."""
    early = genome.EarlyExit(one.network, rule)
    leaves_nobody = (SCORES["entropy"].nobody,) * (len(one.plan.exits) - 1)
    nobody = genome.EarlyExit(one.network, Threshold("entropy", leaves_nobody))
    batches = torch.split(sample, size)
    with torch.inference_mode():
        spent = torch.cat([early(batch).macs for batch in batches]).double().mean().item()
        ways = {"whole": _over(one.network, batches), "nobody": _over(nobody, batches)}
        found = measure(_over(early, batches), ways)
    ratio = one.plan.macs / spent
    whole = found.against("whole", goal=None if share is None else share * ratio)
    return Speed(ratio, whole, found.against("nobody", "whole"))


def _over(network: nn.Module, batches: Sequence[Tensor]) -> Callable[[], None]:
    def way() -> None:
        for batch in batches:
            network(batch)

    return way
