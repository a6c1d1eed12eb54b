"""The conformance suite on every node type here. It tests a new file in genome/ops or genome/motifs at once."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import groupby
from random import Random
from typing import Any

import pytest
import torch

import genome
from genome.op import FLOAT_BYTES
from genome.testing import CHECKS, Case, cases
from genome.testing.measure import check_peak_memory, saved_bytes
from tests.variants import traits
from tests.widest import widest

WORDS = genome.words()


def every_case() -> Iterator[Any]:
    """Yield the cases. Variants take turns in what is checked over one and over three inputs; the rest is slow."""
    for word in WORDS:
        alike = groupby(cases(word, traits(word)), key=lambda case: (case.check, case.op))
        for number, (_, group) in enumerate(alike):
            one, *other = group
            is_variant = bool(other) and one.op != type(one.op)()
            for turn, case in enumerate((one, *other)):
                is_slow = is_variant and turn != number % 2
                yield pytest.param(case, marks=pytest.mark.slow) if is_slow else case


@pytest.mark.parametrize("case", [*every_case()], ids=str)
def test_conformance(case: Case) -> None:
    case.run()


@pytest.mark.parametrize("word", WORDS)
def test_the_word_is_the_name_of_the_file(word: str) -> None:
    kind = genome.lookup(word)
    module = importlib.import_module(kind.__module__)
    assert kind.word == word == module.__name__.rpartition(".")[2]


@pytest.mark.parametrize("word", WORDS)
def test_every_check_has_cases(word: str) -> None:
    without = {name for name, check in CHECKS.items() if check.plain and genome.lookup(word).motif}
    assert {case.check for case in cases(word)} == set(CHECKS) - without


@pytest.mark.parametrize("seed", range(40))
def test_memory_of_whole_networks_is_never_planned_too_low(seed: int) -> None:
    """Draws from the widest space, loops included; the plan is at most an eighth too high, half without gradients."""
    plan = genome.resolve(widest().sample(Random(seed)))
    module = genome.build(plan)
    kept, image = saved_bytes(module, plan), FLOAT_BYTES * plan.genome.input.size
    assert kept <= plan.train_bytes <= 9 * kept // 8 + image
    check_peak_memory(module, plan)


def test_a_count_is_in_float32_numbers() -> None:
    assert torch.zeros(1).element_size() == FLOAT_BYTES
