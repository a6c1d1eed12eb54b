"""The first gate: every genome drawn from the widest space resolves, builds and runs forward and backward.

Its shapes, params and MACs are those of its plan. The gate covers a new node type as soon as its file exists.
"""

from __future__ import annotations

from random import Random

import pytest

import genome
from genome.testing.measure import check_plan
from tests.widest import widest

DRAWS, PARTS = 240, 20
MANY, MANY_PARTS = 20_000, 40


def _draw_and_check_plan(part: int, draws: int) -> None:
    space, rng = widest(), Random(f"gate {part}")
    for i in range(draws):
        drawn = space.sample(rng)
        try:
            check_plan(genome.resolve(drawn), seed=i)
        except Exception as error:
            raise AssertionError(f"draw {i} of part {part}: {error}\n{genome.dump(drawn)}") from error


@pytest.mark.parametrize("part", range(PARTS))
def test_every_drawn_genome_is_the_network_that_was_planned(part: int) -> None:
    _draw_and_check_plan(part, DRAWS // PARTS)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(MANY_PARTS))
def test_twenty_thousand_drawn_genomes(part: int) -> None:
    _draw_and_check_plan(1_000 + part, MANY // MANY_PARTS)


def test_the_widest_space_draws_every_word() -> None:
    """The gate checks only node types that are drawn, so every node type must be drawn."""
    space, rng, met = widest(), Random(0), set()
    for _ in range(300):
        met |= {node.op.word for node in space.sample(rng).nodes}
        met |= {step.node.op.word for step in genome.resolve(space.sample(rng)).steps}
    assert met == set(genome.words())
