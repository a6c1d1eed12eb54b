"""The sampler bayes: its proposals, what it learns from, and when it changes over to evolution."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

import genome
from genome.graph import Genome
from genome.op import Shape
from genome.yaml.source import parse
from search import testing
from search.samplers.base import Individual, Proposal, Proposer
from search.samplers.bayes import FEWEST, INITIAL, SMALLER, Bayes, halved
from search.samplers.evolve import Evolve
from search.samplers.random_search import RandomSearch
from search.samplers.surrogate import feasibility, graph_kernels, model, target_transform
from search.samplers.surrogate.encoding import address
from search.samplers.surrogate.errors import FitError
from search.samplers.surrogate.graph_kernels import Kernels
from search.samplers.surrogate.improvement import improvement, learnt_from
from search.samplers.surrogate.multi_fidelity import Observations
from search.space import known_answers
from search.space.parse import space_of
from search.space.point import Point
from tests.search.samplers.spaces import TEXT

SPACE = space_of(parse(TEXT, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)
Cost = Callable[[genome.Plan], tuple[float, ...]]


@cache
def plan_of(written: Genome) -> genome.Plan:
    return genome.resolve(written)


def cost(plan: genome.Plan) -> tuple[float, ...]:
    """Return costs: deep is good, a max pool is bad, and a hundred thousand multiply-adds are right."""
    pools = sum(step.node.op.word == "pool" for step in plan.steps)
    return (abs(math.log10(plan.macs + 1) - 5.0) - 0.1 * plan.depth + 0.3 * pools,)


def searched(
    proposer: Proposer,
    trials: int,
    cost: Cost = cost,
    most: float = math.inf,
    past: Sequence[Individual] = (),
) -> list[Individual]:
    """Run a sampler; networks of more params than `most` are refused."""
    found = [*past]
    for _ in range(trials):
        drawn = proposer.propose(found, {one.digest for one in found}).genome
        plan = plan_of(drawn)
        over = max(0.0, plan.params / most - 1.0)
        digest = genome.digest(plan)
        found.append(Individual(len(found), drawn, digest, None if over else cost(plan), violation=over))
    return found


def told(trials: int) -> list[Individual]:
    return searched(RandomSearch(SPACE, seed=3), trials)


def running(proposal: Proposal, number: int) -> Individual:
    return Individual(number, proposal.genome, genome.digest(proposal.genome), is_running=True)


def best(found: Sequence[Individual]) -> float:
    return min(one.costs[0] for one in found if one.costs)


# --- proposals


def perfect(found: Sequence[Individual], numbers: Sequence[int]) -> list[Individual]:
    """The same trials, some of which reached all that can be reached."""
    made = {i: plan_of(found[i].genome).params for i in numbers}
    return [
        replace(one, costs=(-9.0,), perfect_params=made[i]) if i in made else one
        for i, one in enumerate(found)
    ]


def test_once_networks_are_perfect_smaller_ones_are_proposed() -> None:
    past = told(20)
    order = sorted(range(20), key=lambda i: plan_of(past[i].genome).params)
    seen = perfect(past, order[4:7])
    unaware = [replace(one, perfect_params=None) for one in seen]
    least = plan_of(past[order[4]].genome).params
    found = searched(Bayes(SPACE), 4, past=seen)[20:]
    assert all(plan_of(one.genome).params <= SMALLER * least for one in found)
    assert any(plan_of(one.genome).params >= least for one in searched(Bayes(SPACE), 4, past=unaware)[20:])


def test_one_perfect_network_says_nothing_of_size() -> None:
    past = told(12)
    alone = replace(perfect(past, [5])[5], perfect_params=None)
    before = [alone if i == 5 else one for i, one in enumerate(past)]
    assert Bayes(SPACE).propose(perfect(past, [5])) == Bayes(SPACE).propose(before)


def test_children_name_their_parents_and_moves() -> None:
    past = told(30)
    origins = [Bayes(SPACE, seed).propose(past).origin for seed in range(3)]
    bred = [origin for origin in origins if origin.parents]
    assert bred
    assert all(origin.moves and set(origin.parents) <= set(range(30)) for origin in bred)


def test_it_beats_random() -> None:
    ours = [best(searched(Bayes(SPACE, seed, experience="none"), 14)) for seed in range(3)]
    theirs = [best(searched(RandomSearch(SPACE, seed), 14)) for seed in range(3)]
    assert np.mean(ours) < np.mean(theirs)


def test_of_two_objectives_it_finds_more_of_the_front_than_random() -> None:
    """Depth against multiply-adds, by the dominated area of a box that holds all."""

    def both(plan: genome.Plan) -> tuple[float, ...]:
        return (-float(plan.depth), math.log10(plan.macs))

    ours, theirs = (searched(made(SPACE, 1, 2), 18, both) for made in (Bayes, RandomSearch))
    areas = [
        compute_hypervolume(np.array([one.costs for one in found]), np.array([0.0, 7.0]))
        for found in (ours, theirs)
    ]
    assert areas[0] > areas[1]


# --- a resumed study


def stored(trials: Sequence[Individual]) -> list[Individual]:
    """Return trials as a resumed study reads them: their genomes from text, nothing shared with what was proposed."""
    return [replace(one, genome=genome.loads(genome.dump(one.genome))) for one in trials]


@pytest.mark.parametrize("objectives", [1, 2])
def test_a_resumed_study_proposes_what_the_uninterrupted_one_would(objectives: int) -> None:
    """With trials of every kind, pruned and running ones among them; caches are only caches."""
    space = testing.space()
    sampler, found = Bayes(space, 5, objectives), testing.drawn(space, 2 * INITIAL, objectives)
    for _ in range(4):
        avoid = {one.digest for one in found}
        proposed = sampler.propose(found, avoid)
        known_answers._known.cache_clear()
        assert Bayes(space, 5, objectives).propose(stored(found), avoid) == proposed
        found.append(testing.ended(len(found), proposed.genome, objectives))


def test_what_a_full_cache_forgets_changes_no_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    past = told(20)
    plenty = [Bayes(SPACE, seed=2).propose(past[:trials]) for trials in range(15, 20)]
    monkeypatch.setattr(model, "NEW", 2)
    monkeypatch.setattr(model, "KNOWN", 2)
    monkeypatch.setattr(known_answers, "MOST", 2)
    sparse = Bayes(SPACE, seed=2)
    assert [sparse.propose(past[:trials]) for trials in range(15, 20)] == plenty


# --- the first networks


def test_the_first_are_spread_over_sizes() -> None:
    found = searched(Bayes(SPACE, seed=0, experience="none"), INITIAL)
    drawn = sorted(math.log(plan_of(SPACE.sample(Random(i))).params) for i in range(200))
    at = sorted(np.searchsorted(drawn, math.log(plan_of(one.genome).params)) / 200 for one in found)
    assert at[0] < 0.25 and at[-1] > 0.65
    assert max(np.diff(at)) < 0.5


def test_halves_quarters_eighths() -> None:
    assert [halved(i) for i in range(1, 8)] == [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


# --- several workers


def test_what_is_running_is_not_worth_another_look() -> None:
    """The same curve with and without a running point: the improvement is zero at the point, and unchanged far away."""
    at, new = np.array([0.0, 1.0, 5.0, 6.0, 2.5]), np.array([2.5, 8.0])

    def part(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-((a[:, None] - b) ** 2))[None]

    def gains(known: np.ndarray) -> np.ndarray:
        kernels = Kernels(part(known, known), part(new, known), np.ones((1, 2)))
        scores = np.array([0.3, -0.2, 1.0, -0.9])
        seen = Observations(np.arange(4), np.zeros(4, dtype=bool), np.full(4, 1e-3), scores)
        return improvement(kernels, seen)

    alone, beside = gains(at[:4]), gains(at)
    assert beside[0] < 0.5 * alone[0]
    assert beside[1] == pytest.approx(alone[1], rel=0.02)


# --- when it explores


def test_what_is_better_than_most_is_sought_not_what_is_strange() -> None:
    """One point lies near a good point, another far from all; only the far point may beat a best far ahead."""
    at, new = np.array([0.0, 3.0, 6.0, 9.0]), np.array([3.6, 30.0])

    def part(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-((a[:, None] - b) ** 2))[None]

    kernels = Kernels(part(at, at), part(new, at), np.ones((1, 2)))
    scores = np.array([-4.0, -0.9, 1.0, 0.6])
    seen = Observations(np.arange(4), np.zeros(4, dtype=bool), np.full(4, 1e-3), scores)
    assert improvement(kernels, seen).argmax() == 1
    assert improvement(kernels, seen, target_transform.MIDDLE).argmax() == 0


# --- what it learns from


def test_scores_are_in_units_of_even_draws() -> None:
    draws = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    even = np.array([True] * 5 + [False] * 40)
    children = np.linspace(1.0, 1.1, 40)
    found = target_transform.scores(np.concatenate([draws, children]), even)
    assert found[2] == target_transform.MIDDLE
    assert np.interp(target_transform.GOOD, np.linspace(0, 1, 5), found[4::-1]) == pytest.approx(
        -1.2816, abs=1e-3
    )
    assert np.ptp(found[5:]) < 0.1, "however many they are, children that are alike have like scores"
    assert np.all(np.diff(found[:5]) < 0)


def test_failures_do_not_drown_the_rest_and_the_best_is_not_endlessly_far() -> None:
    costs = np.array([1e9, 4.0, 3.0, 2.9, 2.8, -1e6])
    found = target_transform.scores(costs, np.array([True] * 5 + [False]))
    assert found[0] <= target_transform.WORST and found[-1] == pytest.approx(-target_transform.FARTHEST)
    assert np.all(np.diff(found) <= 0)


def test_scores_are_of_ranks_where_no_draw_is_better_than_the_middle() -> None:
    even = np.ones(3, dtype=bool)
    costs = np.array([1.0, 1e9, 1.0])
    assert target_transform.scores(costs, even) == pytest.approx([-0.430727, 0.967422, -0.430727], abs=1e-5)
    assert target_transform.scores(np.array([1.0, 1.0]), even[:2])[0] == 0.0


def test_a_dominated_cost_is_never_the_better() -> None:
    costs = np.array([[1.0, 5.0], [2.0, 6.0], [4.0, 1.0], [4.0, 2.0]])
    for seed in range(50):
        scalar = target_transform.scalar(costs, Random(seed))
        assert scalar[0] < scalar[1]
        assert scalar[2] < scalar[3]
    assert {int(target_transform.scalar(costs, Random(seed)).argmin()) for seed in range(50)} == {0, 2}


def test_of_many_trials_the_best_the_newest_and_others_are_learnt_from() -> None:
    costs = np.arange(1000.0)[::-1] % 613
    chosen = learnt_from(costs, Random(0))
    assert len(chosen) == len(set(chosen)) <= 300
    assert {*np.argsort(costs, kind="stable")[:120]} <= {*chosen}
    assert {*range(910, 1000)} <= {*chosen}
    assert learnt_from(costs[:100], Random(0)) == list(range(100))


def features(written: Genome) -> graph_kernels.Features:
    return graph_kernels.features(SPACE, Point(written), plan_of(written))


def test_networks_of_equal_digest_are_alike() -> None:
    """An answer about a node that no exit needs is left out, and so is a node that changes nothing."""
    drawn, other = (SPACE.sample(Random(seed)) for seed in (1, 2))
    whole = address(SPACE, Point(drawn), plan_of(drawn))
    assert len(whole) == len(address(SPACE, Point(other), plan_of(other)))
    one, two = (features(g) for g in (drawn, drawn.renamed("another")))
    known = [features(g) for g in map(SPACE.sample, map(Random, range(6)))]
    kernels = graph_kernels.kernels([*known, one], [two], graph_kernels.scale(known))
    assert kernels.cross[:-1, 0, -1] == pytest.approx(np.ones(len(kernels.cross) - 1))


def test_every_part_is_a_kernel() -> None:
    known = [features(g) for g in map(SPACE.sample, map(Random, range(20)))]
    for part in graph_kernels.kernels(known, [], graph_kernels.scale(known)).known:
        assert part == pytest.approx(part.T)
        assert np.linalg.eigvalsh(part).min() > -1e-8


# --- limits


def test_chances_of_being_inside_the_limits() -> None:
    kept, refused = np.array([[2.0, 2.0], [3.0, 1.0]]), np.array([[5.0, 1.0], [9.0, 9.0]])
    new = np.array([[3.0, 2.0], [3.5, 2.0], [4.8, 2.0], [4.0, 6.0], [5.0, 1.0], [7.0, 0.0], [9.0, 9.5]])
    found = feasibility.chances(new, kept, refused)
    assert found == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.025, 0.25, 1 / 60])
    diverged = np.array([[1.0, 1.0], *refused])
    assert feasibility.chances(new, kept, diverged) == pytest.approx(found), "inside: no limit was broken"
    assert feasibility.chances(new, kept, refused[:0]).tolist() == [1.0] * 7
    assert feasibility.chances(new[3:5], kept[:0], refused).tolist() == [1.0, 0.1]


def test_it_learns_where_the_limits_are() -> None:
    """Three in four networks of the space are too large, and larger networks are better."""
    sizes = sorted(plan_of(SPACE.sample(Random(i))).params for i in range(100))
    found = searched(Bayes(SPACE, 0), 24, lambda plan: (-math.log(plan.params),), most=sizes[25])
    inside = [one for one in found[12:] if not one.violation]
    assert len(inside) >= 5
    assert best(inside) < -math.log(sizes[20])


def test_an_illegal_genome_says_nothing_of_limits() -> None:
    past = told(12)
    nodes = tuple(
        node._replace(ins=("image", "image")) if node.name == "out" else node for node in past[0].genome.nodes
    )
    illegal = Individual(12, replace(past[0].genome, nodes=nodes), "", violation=1.0)
    assert Bayes(SPACE, 0).propose([*past, illegal]).genome in SPACE


# --- without a model


def test_it_goes_on_as_evolution_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    past = [replace(one, costs=(1.0,)) for one in told(15)]
    bayes = Bayes(SPACE, seed=5)
    with caplog.at_level(logging.WARNING, logger="search"):
        made = [bayes.propose(past[:seen]) for seen in (13, 15)]
    assert made == [Evolve(SPACE, seed=5).propose(past[:seen]) for seen in (13, 15)]
    said = [record.getMessage() for record in caplog.records]
    assert said == ["sampler bayes: all 13 targets are equal; evolve proposes until a model can be fitted"]


def test_nothing_measured_yet_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    past = [replace(one, costs=None) for one in told(15)]
    assert Bayes(SPACE, 0).propose(past).genome in SPACE
    some = [replace(one, costs=(math.nan,)) if one.number >= FEWEST else one for one in told(15)]
    assert Bayes(SPACE, 0).propose(some).genome in SPACE
    assert not caplog.records


def test_the_fit_error_is_a_sentence() -> None:
    with pytest.raises(FitError, match="all 4 targets are equal"):
        seen = Observations(np.arange(4), np.zeros(4, dtype=bool), np.ones(4), np.zeros(4))
        improvement(Kernels(np.eye(4)[None], np.ones((1, 1, 4)), np.ones((1, 1))), seen)


# --- the mean of what was measured


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_the_mean_of_the_model_is_nearer_to_the_truth_than_lucky_results() -> None:
    truth = told(60)
    costs = [one.costs[0] for one in truth if one.costs]
    by_result, by_mean, gained = [], [], []
    for seed in range(6):
        luck = np.random.default_rng(seed).normal(0.0, np.std(costs), len(costs))
        noisy = [
            replace(one, costs=(cost + one_luck,))
            for one, cost, one_luck in zip(truth, costs, luck, strict=True)
        ]
        means = model.Surrogate(SPACE, seed).means(noisy)
        assert set(means) == {one.number for one in noisy}
        by_result.append(
            correlation(costs, [cost + one_luck for cost, one_luck in zip(costs, luck, strict=True)])
        )
        by_mean.append(correlation(costs, [means[one.number] for one in noisy]))
        gained.append(costs[int((costs + luck).argmin())] - costs[min(means, key=means.__getitem__)])
    assert np.mean(by_mean) > np.mean(by_result) + 0.05
    assert np.mean(gained) >= 0.0, "what is chosen by the mean is no worse on average"


def test_the_mean_needs_some_results() -> None:
    with pytest.raises(FitError, match="fewer than 10"):
        model.Surrogate(SPACE, 0).means(told(model.FEWEST - 1))
