"""Sampler objects that a user gives to a study: they run, and their mistakes are sentences."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest

import genome
import search
from search.study import Result
from tests.search.conftest import study_of

Ask = Callable[..., Any]


class Mine:
    """Proposes what a function of the space makes."""

    name = "mine"

    def __init__(self, space: search.Space, make: Ask) -> None:
        self.space, self.make = space, make

    def propose(self, history: Any, avoid: Any = ()) -> Any:
        return self.make(self.space, len(history))


def drawn(space: search.Space, count: int) -> search.Proposal:
    return search.Proposal(space.sample(Random(count)), search.Origin("mine"))


def foreign(space: search.Space, count: int) -> search.Proposal:
    return search.Proposal(genome.zoo.get("lenet"), search.Origin("mine"))


def broken(space: search.Space, count: int) -> None:
    raise KeyError("boom")


@pytest.fixture
def run(written: Callable[..., Path], tmp_path: Path) -> Callable[..., Result]:
    """A function that runs a tiny study with a sampler object made of its config."""

    def go(make: Callable[[search.StudyConfig], Any], **changes: Any) -> Result:
        config = search.read_study(written(**{"workers": 1, "trials": 2, **changes}))
        return search.Study(config, tmp_path / "runs", make(config)).run()

    return go


def test_a_proposer_runs(run: Callable[..., Result]) -> None:
    result = run(lambda config: Mine(config.space, drawn))
    assert [record.outcome for record in result.records] == ["done", "done"]
    assert {record.origin.by for record in result.records if record.origin} == {"mine"}


def test_a_sampler_of_optuna_runs(run: Callable[..., Result]) -> None:
    result = run(lambda config: optuna.samplers.RandomSampler(seed=0))
    assert len(result.records) == 2


def test_a_genome_outside_the_space_is_refused(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.run.limits.FRUITLESS", 3)
    result = run(lambda config: Mine(config.space, foreign), trials=None, budget={"device_time": 60})
    assert [record.outcome for record in result.records] == ["refused"] * 3
    assert all(
        "the sampler proposed a genome outside the space: " in (r.reason or "") for r in result.records
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (broken, "sampler mine raised KeyError: 'boom'"),
        (
            lambda space, count: None,
            "sampler mine proposed NoneType; `propose` must return a search.Proposal",
        ),
        (lambda space, count: space.sample(Random(0)), "sampler mine proposed Genome; "),
    ],
)
def test_a_mistake_of_a_proposer_is_a_sentence(run: Callable[..., Result], make: Ask, sentence: str) -> None:
    with pytest.raises(search.StudyError) as error:
        run(lambda config: Mine(config.space, make))
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_a_mistake_of_a_sampler_of_optuna_is_a_sentence(run: Callable[..., Result]) -> None:
    class Broken(optuna.samplers.RandomSampler):
        def sample_independent(self, *asked: Any) -> Any:
            raise ValueError("optuna boom")

    with pytest.raises(search.StudyError, match="sampler Broken raised ValueError: optuna boom"):
        run(lambda config: Broken(seed=0))


@pytest.mark.parametrize("sampler", [object(), "evolve", Mine, 7])
def test_what_is_no_sampler_is_refused_at_once(written: Callable[..., Path], sampler: Any) -> None:
    config = search.read_study(written(**study_of()))
    with pytest.raises(search.StudyError, match=r"^sampler is .*; give an object with `name` and `propose"):
        search.Study(config, sampler=sampler)
