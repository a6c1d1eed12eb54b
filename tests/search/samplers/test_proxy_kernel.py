"""Proxies as features: who is alike, what a model makes of good and of idle advice, and of none."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

import genome
from genome.graph import Genome
from search.samplers import MODELS, OURS, graph_kernels, proposer, proxy_kernel
from search.samplers.base import Individual, Judge, Proposer
from search.samplers.bayes import INITIAL, Kernel
from search.samplers.proxy_vote import Row
from tests.search.samplers.test_bayes import SPACE, cost, plan_of

Rows = Sequence[Row | None]


# --- likeness by proxies


def test_likeness_by_hand() -> None:
    # ranks of mean 0 and variance 1 (as of an even spread): -1, 0 and 1 thirds of the square root of 12
    rows: Rows = [{"p": 1.0}, {"p": 50.0}, {"p": 7.0}]
    apart = 12 / 9
    expected = [[1, math.exp(-2 * apart)], [math.exp(-2 * apart), 1], [math.exp(-apart / 2)] * 2]
    assert proxy_kernel.likeness(rows, ["p"], 2) == pytest.approx(np.array(expected))


def test_several_proxies_count_alike() -> None:
    rows: Rows = [{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 3.0}]
    both, one = proxy_kernel.likeness(rows, ["a", "b"], 2), proxy_kernel.likeness(rows, ["a"], 2)
    assert np.log(both) == pytest.approx(np.log(one) / 2)


def test_what_is_missing_is_lowest_and_who_was_not_screened_is_in_the_middle() -> None:
    rows: Rows = [{"p": 1.0}, {"p": 2.0}, {"q": 5.0}, None, {}]
    likely = proxy_kernel.likeness(rows, ["p"], 5)
    assert likely == pytest.approx(proxy_kernel.likeness([*rows[:2], {"p": -math.inf}, None, None], ["p"], 5))
    assert likely[3] == pytest.approx(likely[4])
    assert likely[3, 0] == pytest.approx(1.0), "of three the first is in the middle too"
    assert proxy_kernel.likeness([None, {}], ["p"], 2) == pytest.approx(np.ones((2, 2)))


screened = st.tuples(st.integers(-999, 999), st.integers(-999, 999))


@given(st.lists(st.one_of(st.none(), screened), min_size=2, max_size=12))
def test_it_is_a_kernel_and_only_order_matters(found: list[tuple[int, int] | None]) -> None:
    rows: Rows = [pair and {"a": pair[0], "b": pair[1]} for pair in found]
    likely = proxy_kernel.likeness(rows, ["a", "b"], len(rows))
    assert likely == pytest.approx(likely.T)
    assert np.linalg.eigvalsh(likely).min() > -1e-9
    cubed: Rows = [pair and {"a": pair[0] ** 3, "b": pair[1] + 7} for pair in found]
    assert (likely == proxy_kernel.likeness(cubed, ["a", "b"], len(rows))).all()


def test_a_part_more_beside_the_others() -> None:
    kernels = graph_kernels.Kernels(np.zeros((3, 2, 2)), np.zeros((3, 4, 2)), np.zeros((3, 4)))
    more = proxy_kernel.beside(kernels, [{"p": float(i)} for i in range(6)], ["p"])
    assert [part.shape for part in more] == [(4, 2, 2), (4, 4, 2), (4, 4)]
    assert np.diag(more.known[-1]) == pytest.approx(1.0) and more.own[-1] == pytest.approx(1.0)


# --- what a model makes of them


@cache
def drawn(seed: int, count: int) -> tuple[Genome, ...]:
    """Different networks of the space."""
    rng, found = Random(seed), dict[str, Genome]()
    while len(found) < count:
        written = SPACE.sample(rng)
        found.setdefault(genome.digest(plan_of(written)), written)
    return tuple(found.values())


def hidden(written: Genome) -> float:
    """A cost that nothing in the graph tells of."""
    return Random(genome.digest(plan_of(written))).gauss(0.0, 1.0)


def plain(written: Genome) -> float:
    return cost(plan_of(written))[0]


def expected(
    seed: int, cost: Callable[[Genome], float], advice: Callable[[Genome], Row | None], trained: int = 30
) -> tuple[list[float], list[float]]:
    """The costs of 20 candidates, and what a model expects of them after some trials."""
    networks = drawn(seed, trained + 20)
    past = [
        Individual(i, one, genome.digest(plan_of(one)), (cost(one),), proxies=advice(one))
        for i, one in enumerate(networks[:trained])
    ]
    new = networks[trained:]
    gains = Kernel(SPACE, seed).gains(past, new, [advice(one) for one in new], ["told"])
    assert gains is not None and all(math.isfinite(gain) and gain >= 0 for gain in gains)
    return [cost(one) for one in new], list(gains)


def nothing(_: Genome) -> None:
    return None


def told(written: Genome) -> Row:
    """A proxy that tells the hidden cost, over powers of ten and with an error."""
    return {"told": math.exp(-5.0 * hidden(written) + Random(str(written)).gauss(0.0, 1.0))}


def idle(written: Genome) -> Row:
    return {"told": Random(f"{written} idle").random()}


def chosen(seed: int, advice: Callable[[Genome], Row | None]) -> float:
    costs, gains = expected(seed, hidden, advice)
    return costs[int(np.argmax(gains))]


def test_a_proxy_that_tells_what_the_graph_does_not_makes_a_better_choice() -> None:
    with_it, without = (mean(chosen(seed, advice) for seed in range(4)) for advice in (told, nothing))
    assert with_it < -1.0 < -0.6 < without  # standard deviations


def test_an_idle_proxy_does_little_harm() -> None:
    def worth(seed: int, advice: Callable[[Genome], Row | None]) -> float:
        costs, gains = expected(seed, plain, advice)
        return float(spearmanr(gains, [-cost for cost in costs]).statistic)

    with_it, without = (mean(worth(seed, advice) for seed in range(4)) for advice in (idle, nothing))
    assert without > 0.5
    assert with_it > without - 0.1


def test_trials_and_candidates_that_were_not_screened_are_judged_by_the_rest() -> None:
    def some(written: Genome) -> Row | None:
        return told(written) if len(str(written)) % 2 else None

    costs, gains = expected(0, hidden, some, trained=40)
    networks = drawn(0, 60)[40:]
    known = [i for i, one in enumerate(networks) if some(one)]
    assert 5 < len(known) < 15
    ranked = spearmanr([gains[i] for i in known], [-costs[i] for i in known]).statistic
    assert ranked > 0.5


def test_no_model_while_few_were_trained_nor_where_nothing_can_be_learnt() -> None:
    networks = drawn(0, INITIAL + 3)
    past = [
        Individual(i, one, str(i), (float(i),), proxies=idle(one)) for i, one in enumerate(networks[:INITIAL])
    ]
    new, rows = networks[INITIAL:], [idle(one) for one in networks[INITIAL:]]
    kernel = Kernel(SPACE, 0)
    assert kernel.gains(past[:-1], new, rows, ["told"]) is None
    assert kernel.gains(past, new, rows, ["told"]) is not None
    assert kernel.gains([replace(one, costs=(1.0,)) for one in past], new, rows, ["told"]) is None


@pytest.mark.parametrize("word", OURS)
def test_who_has_a_model_judges(word: str) -> None:
    made: Proposer = proposer(word, SPACE, 0, 1)
    assert isinstance(made, Judge) == (word in MODELS)


def test_auto_judges_as_the_sampler_that_it_is_at_the_time() -> None:
    networks = drawn(0, 15)
    auto = proposer("auto", SPACE, 0, 1)
    assert isinstance(auto, Judge)
    for seconds, judges in ((9.0, True), (0.1, False)):
        past = [
            Individual(i, one, str(i), (float(i),), seconds=seconds) for i, one in enumerate(networks[:12])
        ]
        assert (auto.gains(past, networks[12:], [None] * 3, ["told"]) is not None) == judges
