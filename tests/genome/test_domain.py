"""Domains and the register: the values of a domain, their draws and covers, and the words of refusals."""

from __future__ import annotations

import copy
import pickle
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genome
from genome.domain import FLAG, Domain, DomainError, Either, Float, Int, OneOf
from genome.op import Op

ints = st.builds(
    lambda low, count, step: Int(low, low + count * step, step),
    st.integers(-50, 50), st.integers(0, 20), st.integers(1, 7),
)  # fmt: skip
floats = st.builds(lambda low, span: Float(low, low + span), st.floats(-50, 50), st.floats(0, 50))
logs = st.builds(lambda low, span: Float(low, low + span, log=True), st.floats(1e-6, 50), st.floats(0, 50))
choices = st.lists(
    st.one_of(st.integers(-5, 30), st.booleans(), st.sampled_from("ab"), st.floats(0, 9)),
    min_size=1, max_size=6, unique_by=lambda v: (type(v), v),
).map(lambda values: OneOf(*values))  # fmt: skip
domains = st.one_of(ints, floats, logs, choices)


@given(domains, st.integers())
def test_what_is_drawn_is_held(domain: Domain, seed: int) -> None:
    rng = Random(seed)
    assert all(domain.draw(rng) in domain for _ in range(5))


@given(domains, domains, st.integers())
def test_a_domain_that_covers_another_holds_all_of_it(one: Domain, other: Domain, seed: int) -> None:
    assert one.covers(one)
    rng = Random(seed)
    if one.covers(other):
        assert all(other.draw(rng) in one for _ in range(10))


def test_every_value_of_a_grid_is_drawn() -> None:
    rng = Random(0)
    assert {Int(3, 11, 4).draw(rng) for _ in range(100)} == {3, 7, 11}
    assert {OneOf("a", 2, True).draw(rng) for _ in range(100)} == {"a", 2, True}
    drawn = [Float(1e-4, 1.0, log=True).draw(rng) for _ in range(2_000)]
    assert 0.4 < sum(x < 1e-2 for x in drawn) / len(drawn) < 0.6  # evenly on a log scale


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1], float("nan"), 5])
def test_types_count(value: Any) -> None:
    assert (
        value not in Int(0, 3) and value not in OneOf(1, 2) and value not in Either(OneOf("same"), Int(0, 3))
    )
    assert value == 1.0 or value not in Float(0, 3)


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (Int(1, 7), "1..7"),
        (Int(1, 7, 2), "1..7 in steps of 2"),
        (Float(0.5, 2.0), "0.5..2.0"),
        (FLAG, "false or true"),
        (OneOf(3), "3"),
        (OneOf("a", "b", "c"), "a, b or c"),
        (Either(OneOf("same"), Int(0, 64)), "same or 0..64"),
    ],
)
def test_domains_are_said_in_words(domain: Any, words: str) -> None:
    assert str(domain) == words


@pytest.mark.parametrize(
    ("kind", "bounds", "sentence"),
    [
        (Int, (7, 1), "int [7, 1, 1] holds no value"),
        (Int, (1, 8, 2), "int [1, 8, 2]: 8 is not on the grid"),
        (Int, (1, True), "int bounds are whole numbers, not [1, true, 1]"),
        (Float, (1.0, float("inf")), "float [1.0, inf] holds no value"),
        (Float, (0, 1, True), "float [0, 1]: a log scale needs a low end above 0"),
        (Float, ("a", 1), "float bounds are numbers, not [a, 1]"),
        (OneOf, (), "one_of [] is empty or names a choice twice"),
        (OneOf, (1, True, 1), "one_of [1, true, 1] is empty or names a choice twice"),
    ],
)
def test_domains_that_hold_nothing_are_refused(kind: Any, bounds: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(DomainError) as caught:
        kind(*bounds)
    assert str(caught.value) == sentence


def test_the_register_is_the_files() -> None:
    assert list(genome.words()) == sorted(genome.words())
    assert {genome.lookup(word).word for word in genome.words()} == set(genome.words())
    with pytest.raises(KeyError, match=r"'cnov'; it may be act, .* \(conv\?\)"):
        genome.lookup("cnov")


def test_equal_ops_are_equal_functions() -> None:
    conv = genome.lookup("conv")
    assert conv(kernel=1, dilation=2) == conv(kernel=1)
    assert hash(conv(kernel=1, dilation=2)) == hash(conv(kernel=1))
    assert conv() != genome.lookup("separable")()
    assert conv().having(kernel=5) == conv(kernel=5) != conv()


def test_ops_are_frozen_copied_and_pickled() -> None:
    stack: Op = genome.lookup("stack")(depth=3)
    assert {stack: 1}[stack]
    for twin in (copy.deepcopy(stack), copy.copy(stack), pickle.loads(pickle.dumps(stack))):
        assert twin == stack and {stack: 1}[twin] and "_hash" in vars(twin)
    assert b"_hash" not in pickle.dumps(stack)
    with pytest.raises(AttributeError):
        stack.depth = 4  # type: ignore[attr-defined]
