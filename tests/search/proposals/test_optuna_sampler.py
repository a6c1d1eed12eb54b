"""Our samplers as plain samplers of Optuna: the tests beyond Optuna's own cases (`test_conformance`)."""

import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import optuna
import pytest
from optuna._hypervolume import compute_hypervolume
from optuna.samplers import BaseSampler

import genome
from search.config.read import read_study
from search.proposals.optuna_sampler import GenomeSampler
from search.samplers.base import ORIGIN, Origin
from search.samplers.bayes import INITIAL
from search.samplers.registry import proposing
from search.space.distributions import asker
from search.space.space import Space
from search.testing import space

optuna.logging.set_verbosity(optuna.logging.ERROR)

ALONE = [name for name in proposing() if name != "auto"]  # auto is one of the others
TRIALS = {"bayes": INITIAL + 3}  # a proposal of its model takes 0.15 s


def cost(trial: optuna.Trial, there: Space) -> float:
    """Return multiply-adds, where fewer than a million are as bad as more."""
    return float(abs(genome.resolve(there.decode(asker(trial))).macs - 1_000_000))


@pytest.mark.parametrize("name", ALONE)
def test_a_trial_has_the_answers_of_its_genome_and_no_others(name: str) -> None:
    there = space()
    study = optuna.create_study(sampler=GenomeSampler(there, name, seed=1))
    study.optimize(lambda trial: cost(trial, there), n_trials=TRIALS.get(name, 25))
    digests = []
    for trial in study.trials:
        decoded = there.decode(lambda hole, _, trial=trial: trial.params[hole])  # type: ignore[misc]
        assert there.encode(decoded) == trial.params
        digests.append(genome.digest(decoded))
    assert len(set(digests)) == len(digests), "no network twice"


def test_lineage_is_kept_and_points_back() -> None:
    there = space()
    study = optuna.create_study(sampler=GenomeSampler(there, "evolve", seed=1))
    study.optimize(lambda trial: cost(trial, there), n_trials=30)
    origins = [Origin.of_json(trial.user_attrs[ORIGIN]) for trial in study.trials]
    assert all(origin.by == "evolve" for origin in origins)
    assert sum(bool(origin.parents) for origin in origins) > 10
    for number, origin in enumerate(origins):
        assert all(parent < number for parent in origin.parents)
        assert bool(origin.parents) == bool(origin.moves)


@pytest.mark.parametrize("name", ALONE)
def test_the_same_seed_gives_the_same_trials(name: str) -> None:
    def run() -> list[dict[str, Any]]:
        there = space()
        study = optuna.create_study(sampler=GenomeSampler(there, name, seed=4))
        study.optimize(lambda trial: cost(trial, there), n_trials=TRIALS.get(name, 15))
        return [trial.params for trial in study.trials]

    assert run() == run()


def test_constraints_keep_children_inside() -> None:
    there = space()

    def objective(trial: optuna.Trial) -> float:
        plan = genome.resolve(there.decode(asker(trial)))
        trial.set_constraint("params", plan.params / 4_000 - 1.0)
        return float(-plan.macs)

    def broken(sampler: BaseSampler) -> int:
        study = optuna.create_study(sampler=sampler)
        study.optimize(objective, n_trials=60)
        return sum(trial.constraints["params"] > 0 for trial in study.trials[20:])

    assert broken(GenomeSampler(there, "evolve", seed=0)) < broken(GenomeSampler(there, "random", seed=0))


def test_several_objectives_evolve_towards_the_front() -> None:
    there = read_study(Path(__file__).parents[3] / "studies" / "unusual.yaml").space
    target = there.encode(there.sample(Random(7)))

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        """Return answers that are not the target's, and multiply-adds."""
        decoded = there.decode(asker(trial))
        answers = there.encode(decoded)
        return float(sum(answers.get(k) != v for k, v in target.items())), math.log(
            genome.resolve(decoded).macs
        )

    def hypervolume(name: str, seed: int) -> float:
        sampler = GenomeSampler(there, name, seed=seed)
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        study.optimize(objective, n_trials=80)
        worst = np.array([len(target), 20.0])
        return float(compute_hypervolume(np.minimum([t.values for t in study.trials], worst), worst))

    seeds = range(3)
    assert sum(hypervolume("evolve", s) for s in seeds) > sum(hypervolume("random", s) for s in seeds)
