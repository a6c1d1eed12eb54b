"""Samplers where a study searches its recipe too: every one proposes both, and learns from both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import optuna
import pytest

import genome
from genome.domain import Float, Int, OneOf
from search import testing
from search.proposals.custom_sampler import GuardedProposer
from search.proposals.optuna_sampler import GenomeSampler
from search.samplers.base import Individual, Origin, Proposal
from search.samplers.registry import proposer, proposing
from search.samplers.surrogate import graph_kernels
from search.samplers.surrogate.wl import occurrences
from search.space import mutations
from search.space.distributions import asker
from search.space.holes import Hole, SpaceError
from search.space.members import is_used_up, members, unseen
from search.space.point import Point, digest_of, network_of
from search.space.recipe_space import RecipeSpace
from search.space.space import Space

HOLES = {
    "optimizer": Hole("train.optimizer", OneOf("sgd", "adamw")),
    "lr": Hole("train.lr", Float(0.001, 1.0, log=True), real=True),
    "momentum": Hole("train.momentum", Float(0.5, 0.9), real=True),
    "batch": Hole("train.batch", Int(32, 128, 32)),
}


def space(text: str = testing.WIDE, *keys: str) -> Space:
    """A space of the conformance suite with these holes of the recipe, by default all."""
    recipes = RecipeSpace({}, {key: hole for key, hole in HOLES.items() if not keys or key in keys})
    return replace(testing.space(text), recipes=recipes)


def measured(number: int, proposal: Proposal) -> Individual:
    """A trial whose cost is the distance of its learning rate from 0.1: the network matters nothing."""
    digest = digest_of(genome.digest(genome.resolve(proposal.genome)), proposal.searched)
    cost = abs(math.log10(float(proposal.searched["lr"])) + 1.0)
    return Individual(
        number,
        proposal.genome,
        digest,
        (cost,),
        origin=proposal.origin,
        seconds=60.0,
        searched=proposal.searched,
    )


def run(name: str, there: Space, trials: int, seed: int = 0) -> list[Individual]:
    made, found = proposer(name, there, seed, 1), list[Individual]()
    for number in range(trials):
        found.append(measured(number, made.propose(tuple(found), {one.digest for one in found})))
    return found


@pytest.mark.parametrize("name", proposing())
def test_networks_and_recipes_lie_in_the_space_and_none_comes_twice(name: str) -> None:
    there = space()
    found = run(name, there, 25)
    for one in found:
        assert there.answers(one.point).keys() > {"train.optimizer", "train.lr", "train.batch"}
        assert ("momentum" in one.searched) == (one.searched["optimizer"] == "sgd")
    assert len({one.digest for one in found}) == 25
    assert [one.point for one in run(name, there, 25)] == [one.point for one in found]


@pytest.mark.parametrize("name", [name for name in proposing() if name != "random"])
def test_a_good_recipe_is_found(name: str) -> None:
    """Random draws of the rate have a median distance of 0.75 decades from the best one."""
    found = run(name, space(), 60)
    late = sorted(one.costs[0] for one in found[-20:] if one.costs)
    assert late[len(late) // 2] < 0.4


@pytest.mark.parametrize("name", ["evolve", "bayes"])
def test_one_network_is_tried_with_several_recipes(name: str) -> None:
    found = run(name, space(testing.SMALL), 30)
    networks = Counter(network_of(one.digest) for one in found)
    # how many of the few networks a model still tries depends on the rounding of the machine
    assert 1 < len(networks) <= testing.SMALL_NETWORKS and max(networks.values()) > 1
    assert len({one.digest for one in found}) == 30


def test_small_spaces_have_members_with_each_recipe() -> None:
    there = space(testing.SMALL, "batch")
    found = members(there)
    assert found is not None and len(found) == 4 * testing.SMALL_NETWORKS
    *known, last = found
    left = unseen(there, known)
    assert left is not None and left == found[last]
    assert is_used_up(there, found) and not is_used_up(there, known)
    assert members(space(testing.SMALL, "lr")) is None


def test_moves_of_the_recipe() -> None:
    there, rng = space(), Random(0)
    assert mutations.moves(there) == (*mutations.MOVES, "recipe")
    changed = Counter[str]()
    for _ in range(200):
        parent = there.draw(rng)
        moved = mutations.apply(there, "recipe", parent, rng)
        assert moved is not None and moved.point.genome == parent.genome
        there.answers(moved.point)
        both = parent.searched.keys() & moved.point.searched.keys()
        (key,) = [key for key in both if parent.searched[key] != moved.point.searched[key]]
        changed[key] += 1
        assert moved.told.startswith(f"train.{key} ")
    assert set(changed) == set(HOLES)


def test_crossover_takes_a_recipe_as_a_whole() -> None:
    there, rng, seen = space(), Random(0), Counter[bool]()
    for _ in range(200):
        a, b = there.draw(rng), there.draw(rng)
        moved = mutations.apply(there, "crossover", a, rng, b)
        assert moved is not None
        assert moved.point.searched in (a.searched, b.searched)
        seen[moved.point.searched == a.searched] += 1
    assert min(seen[True], seen[False]) > 20


def test_networks_without_holes_in_the_recipe_have_no_such_move() -> None:
    assert mutations.moves(testing.space()) == mutations.MOVES


def test_the_surrogate_tells_recipes_apart() -> None:
    there = space()
    written = there.sample(Random(0))
    plan = genome.resolve(written)
    near, far, same = ({"optimizer": "adamw", "lr": lr, "batch": 64} for lr in (0.11, 0.9, 0.1))
    known = [graph_kernels.features(there, Point(written, one), plan) for one in (same, near, far)]
    draws = [there.draw(Random(seed)) for seed in range(20)]
    scale = graph_kernels.scale(
        [graph_kernels.features(there, one, genome.resolve(one.genome)) for one in draws]
    )
    kernels = graph_kernels.kernels(known, [], scale).known
    plain = graph_kernels.features(testing.space(), Point(written), plan)
    counted = len(occurrences([plain.wiring]))
    assert plain.recipe == () and len(kernels) == counted + 3 + len(HOLES)
    optimizer, lr, _, batch = kernels[counted + 1 : -2]
    assert lr[0, 0] > lr[0, 1] > lr[0, 2]
    for same_in_all in (kernels[0], optimizer, batch):
        assert same_in_all == pytest.approx(np.ones((3, 3)))


def test_the_model_reads_the_memory_of_a_batch() -> None:
    there = space()
    plan = genome.resolve(there.sample(Random(0)))
    small, large = (graph_kernels.sizes(plan, {"batch": batch})[3] for batch in (32, 128))
    assert large - small == pytest.approx(math.log(4), abs=1e-3)


def test_a_network_and_its_recipe_have_one_digest() -> None:
    assert digest_of("abc", {}) == "abc"
    one, again, other = (digest_of("abc", values) for values in ({"lr": 0.1}, {"lr": 0.1}, {"lr": 0.2}))
    assert one == again != other and network_of(one) == network_of(other) == network_of("abc") == "abc"
    assert digest_of("abc", {"lr": 0.1, "batch": 4}) == digest_of("abc", {"batch": 4, "lr": 0.1})


def test_values_outside_are_said() -> None:
    recipes = space().recipes
    whole = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "batch": 32}
    assert recipes.encode(whole).keys() == {hole.name for hole in HOLES.values()}
    for change, said in {
        "lr": "train.lr is 2.0; in this study it is 0.001..1.0",
        "batch": "train.batch is 2; in this study it is 32..128 in steps of 32",
        "cutout": "train.cutout is 2.0; this study does not search it here",
    }.items():
        with pytest.raises(SpaceError) as wrong:
            recipes.encode({**whole, change: 2.0})
        assert str(wrong.value) == said
    with pytest.raises(SpaceError, match=r"train\.momentum is 0\.9; this study does not search it here"):
        recipes.encode({**whole, "optimizer": "adamw"})
    with pytest.raises(SpaceError, match=r"train\.lr is missing"):
        recipes.encode({"optimizer": "adamw", "batch": 32})


def test_known_values_are_kept_where_they_fit() -> None:
    recipes = space().recipes
    known = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.99, "batch": 33, "epochs": 4}
    found = recipes.completed(known, Random(0))
    assert (found["optimizer"], found["lr"]) == ("sgd", 0.2)
    assert found["momentum"] != 0.99 and found["batch"] != 33 and "epochs" not in found
    assert recipes.encode(found) and found == recipes.completed(known, Random(0))


class Plain:
    """A sampler that was written before recipes could be searched."""

    name = "plain"

    def __init__(self, there: Space, recipe: dict[str, float] | None = None) -> None:
        self.space, self.recipe = there, recipe

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        drawn = self.space.sample(Random(len(history)))
        return Proposal(drawn, Origin(self.name), self.recipe or {})


def test_a_sampler_of_a_user_that_says_nothing_of_the_recipe_gets_a_draw() -> None:
    there = space()
    made = GuardedProposer(Plain(there), there, 0)
    first, again = made.propose(()), made.propose(())
    assert first == again and there.recipes.encode(first.searched)
    other = GuardedProposer(Plain(there), there, 1).propose(())
    assert other.searched != first.searched
    given = {"lr": 0.1}
    assert GuardedProposer(Plain(there, given), there, 0).propose(()).searched == given


def test_as_a_sampler_of_optuna_it_proposes_recipes() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    there = space()

    def objective(trial: optuna.Trial) -> float:
        return float(there.point(asker(trial)).searched["lr"])

    study = optuna.create_study(sampler=GenomeSampler(there, "evolve", seed=0))
    study.optimize(objective, n_trials=30)
    assert study.best_value < 0.01
    moves = [move for trial in study.trials for move in trial.user_attrs["origin"]["moves"]]
    assert any("train" in move for move in moves)
