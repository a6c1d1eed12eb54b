"""Points made as wide as the limits of a study allow, and samplers that keep to them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.graph import Genome
from genome.op import Shape
from genome.yaml.source import parse
from genome.zoo.scale import usage
from search.samplers.base import Individual, Proposer
from search.samplers.bayes import INITIAL, Bayes
from search.samplers.evolve import Evolve
from search.samplers.random_search import RandomSearch
from search.space.filled import filled
from search.space.parse import space_of
from search.space.space import Space

TEXT = """\
space:
  widths: {rule: {one_of: [constant, add, multiply]}, base: {int: [4, 64, 4]}, alpha: {float: [1, 4]}}
  nodes:
    stem: {op: conv, in: [image], kernel: {one_of: [1, 3]}, width: {int: [4, 64, 4]}}
    s1: {op: {one_of: [conv, {op: stack, depth: {int: [1, 4]}}, separable]}, in: [stem]}
    (s2): {op: conv, in: [s1], stride: 2, width: {one_of: [1x, 2x]}}
    out: {op: exit, in: [s2]}
"""
FREE = space_of(parse(TEXT, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)
WIDTHS = {"widths.base", "widths.alpha", "stem.width"}
SPACE = replace(FREE, limits={"params": 20_000, "macs": 400_000})


def used(space: Space, written: Genome) -> float:
    return usage(genome.resolve(written), space.limits)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_filled_point_is_inside_the_limits_and_no_narrower(seed: int) -> None:
    drawn = SPACE.draw(Random(seed))
    wide = filled(SPACE, drawn)
    before = SPACE.answers(drawn)
    if wide is None:
        narrow = SPACE.point(lambda name, domain: domain.low if name in WIDTHS else before[name])  # type: ignore[union-attr]
        assert used(SPACE, narrow.genome) > 1.0, "nothing fits"
        return
    after = SPACE.answers(wide)  # it is a point of the space
    assert used(SPACE, wide.genome) <= 1.0
    assert {name for name in before if before[name] != after[name]} <= WIDTHS, "nothing else has changed"
    if used(SPACE, drawn.genome) <= 1.0:
        assert used(SPACE, wide.genome) >= used(SPACE, drawn.genome)


def test_filled_points_use_what_is_allowed() -> None:
    wide = [filled(SPACE, SPACE.draw(Random(seed))) for seed in range(100)]
    shares = sorted(used(SPACE, one.genome) for one in wide if one)
    assert len(shares) > 90
    assert shares[len(shares) // 2] > 0.75, "base goes by steps of four channels"


def test_what_limits_or_widths_are_missing_for_is_not_filled() -> None:
    assert filled(FREE, FREE.draw(Random(0))) is None
    text = TEXT.replace("base: {int: [4, 64, 4]}, alpha: {float: [1, 4]}", "base: 8, alpha: 2.0").replace(
        "width: {int: [4, 64, 4]}", "width: 8"
    )
    fixed = space_of(parse(text, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)
    fixed = replace(fixed, limits={"params": 10**6})
    assert filled(fixed, fixed.draw(Random(0))) is None
    assert filled(replace(FREE, limits={"params": 1}), FREE.draw(Random(0))) is None


# --- samplers


@pytest.mark.parametrize("make", [Bayes, Evolve, RandomSearch])
def test_samplers_propose_what_is_inside(make: type) -> None:
    """One draw in many is inside; every other one would be a trial that the study refuses."""
    tight = replace(FREE, limits={"params": 5_000, "macs": 100_000})
    drawn = [tight.draw(Random(seed)).genome for seed in range(200)]
    assert sum(used(tight, one) <= 1.0 for one in drawn) < 60
    found = asked(make(tight, 3), tight, INITIAL + 4)
    assert sum(used(tight, one.genome) <= 1.0 for one in found) >= len(found) - 1


def test_bayes_begins_with_networks_that_use_what_is_allowed() -> None:
    shares = [used(SPACE, one.genome) for one in asked(Bayes(SPACE, 1), SPACE, INITIAL)]
    assert max(shares) <= 1.0
    assert sum(share > 0.6 for share in shares) >= INITIAL // 2
    for_two = [used(SPACE, one.genome) for one in asked(Bayes(SPACE, 1, objectives=2), SPACE, INITIAL)]
    assert sum(for_two) < sum(shares), "where size is an objective, small networks count as much"


def asked(sampler: Proposer, space: Space, trials: int) -> list[Individual]:
    found: list[Individual] = []
    for number in range(trials):
        written = sampler.propose(found, {one.digest for one in found}).genome
        plan = genome.resolve(written)
        costs = (1.0 / plan.params, float(plan.params))[: getattr(sampler, "objectives", 1)]
        found.append(Individual(number, written, genome.digest(plan), costs, seconds=60.0))
    return found
