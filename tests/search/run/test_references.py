"""References: published networks that a study trains first, scaled to its limits."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.zoo.scale import FAMILIES, FULL, usage
from search.cli.tables import result_text
from search.config.read import parse_study
from search.errors import StudyError
from search.proposals import references
from search.proposals.history import History
from search.results.reference_text import reference_lines
from search.run.budget import Budget
from search.run.context import Context
from search.run.finale_plan import FinalePlan
from search.run.progress import Silent
from search.run.references import SHARE, ReferenceSuggestions, seconds_left
from search.samplers.base import OUTSIDE, REFERENCE, Origin
from search.samplers.surrogate import experience
from search.samplers.surrogate.experience import Trained
from search.samplers.surrogate.experience import written as written_experience
from search.samplers.surrogate.model import Surrogate
from search.storage.record import Record
from search.storage.study import open_to_read
from search.study import Result, Study
from tests.command import PATIENCE_SECONDS, commands, members, until
from tests.search.conftest import study_of, trials_in
from tests.search.dashboard.kept import add, begin, text_of

Run = Callable[..., Result]

SMALL = {"params": 3_000}
LIGHT = {
    "objectives": "accuracy",
    "limits": SMALL,
    "references": "auto",
    "trials": 2,
    "budget": {"device_time": "1h"},
}


def config_of(**changes: Any) -> Any:
    return parse_study(yaml.safe_dump(study_of(**changes), sort_keys=False), "study.yaml")


# --- which


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": {"device_time": 60}, "trials": None, "references": None}, tuple(FAMILIES)),
        ({"trials": None, "references": None}, tuple(FAMILIES)),  # ten minutes
        ({"budget": {"device_time": 60}, "references": None}, ()),  # so many trials and no more
        ({"trials": 3, "references": None}, ()),
        ({"trials": 3, "references": "auto"}, tuple(FAMILIES)),
        ({"trials": None, "references": "none"}, ()),
        ({"references": ["zoo:resnet-20", "zoo:lenet", "zoo:resnet-20"]}, ("zoo:resnet-20", "zoo:lenet")),
    ],
)
def test_a_study_has_them_by_default_where_its_budget_pays_for_them(
    changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    config = config_of(**changes)
    assert config.references == expected
    assert parse_study(config.text(), "again").references == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("all", "references is 'all'; it may be auto, none, or a list such as [zoo:resnet-20]"),
        (["resnet-20"], "references is ['resnet-20']; it may be auto, none"),
        (["zoo:resnet-21"], "references has zoo:resnet-21: the zoo has no network 'resnet-21'"),
        (3, "references is 3; it may be auto"),
    ],
)
def test_what_is_no_reference_is_refused_with_its_place(value: Any, complaint: str) -> None:
    with pytest.raises(Exception, match=r"study\.yaml:") as caught:
        config_of(references=value)
    assert complaint in str(caught.value)


def test_one_that_no_scaling_brings_into_the_limits_is_refused_with_its_place(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    file = written(references=["zoo:lenet", "zoo:resnet-20"], limits={"params": 100})
    with pytest.raises(StudyError) as caught:
        Study.load(file, tmp_path / "runs").run()
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and "references: no scaling of zoo:lenet is inside the limits" in lines[0]
    assert lines[0].startswith(f"{file}:") and not (tmp_path / "runs" / "tiny" / "study.db").exists()


@settings(max_examples=10)
@given(st.integers(3_000, 200_000), st.integers(300_000, 10**7))
def test_each_uses_the_tightest_limit_and_breaks_none(params: int, macs: int) -> None:
    config = config_of(references="auto", limits={"params": params, "macs": macs})
    for network in references.found(config).values():
        if network is not None:
            share = usage(genome.resolve(network), config.limits)
            assert FULL <= share <= 1.0 and network.classes == 10


def test_the_most_promising_is_trained_first_and_a_list_keeps_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The budget may not pay for all of them."""

    def order(sign: float, **changes: Any) -> list[str]:
        space = config_of(**LIGHT).space
        drawn = [space.sample(Random(seed)) for seed in range(20)]
        sizes = [genome.resolve(one).params for one in drawn]
        texts, goodness = map(genome.dump, drawn), (0.5 + sign * size / 1e6 for size in sizes)
        known = Trained("mine", *Surrogate(space, 0).units, tuple(texts), tuple(goodness), (True,) * 20)
        (tmp_path / "file").write_bytes(written_experience([known]))
        monkeypatch.setattr(experience, "FILE", tmp_path / "file")
        experience.named.cache_clear()
        request.addfinalizer(experience.named.cache_clear)
        config = config_of(**{**LIGHT, **changes})
        return [
            one.name for one in references.stored(begin(tmp_path, f"s{sign}{len(changes)}", **LIGHT), config)
        ]

    assert len(order(1.0)) == 4 and order(1.0) != order(-1.0)
    listed = ["zoo:resnet-56", "zoo:resnet-20"]
    assert order(1.0, references=listed) == order(-1.0, references=listed)
    assert [name.split("-x")[0] for name in order(1.0, references=listed)] == ["resnet-56", "resnet-20"]


# --- how they are trained


def test_they_are_trained_first_and_once_and_the_study_tells_what_they_are_worth(
    run: Run, tmp_path: Path
) -> None:
    result = run(**LIGHT, workers=1)
    names = [record.reference for record in result.records]
    first = [name for name in names if name is not None]
    assert sorted(name.split("-")[0] for name in first) == sorted(FAMILIES) and names[:4] == first
    assert len(names) == 6, "they do not count as the two trials of the study"
    assert all(record.params is not None and record.params <= 3_000 for record in result.records[:4])
    text = result_text(result, config_of(**LIGHT).objectives, "again")
    assert f"references, accuracy: {first[0]} " in text
    won = "than the reference" if result.best[0].reference else "which the search found, is better than every"
    assert won in text
    again = run(**{**LIGHT, "trials": 3}, workers=1)
    assert [record.reference for record in again.records] == [*names, None]


def test_together_they_get_a_tenth_of_the_budget(run: Run) -> None:
    epochs = {"train": {"epochs": 200, "batch": 32}}
    result = run(
        **{**LIGHT, **epochs, "budget": {"device_time": 6.0}, "trials": 1, "finale": "none"}, workers=1
    )
    spent = sum(record.seconds for record in result.records if record.is_reference)
    assert 0 < spent < SHARE * 6.0 + 2.0, "a busy machine is late"
    assert [record.outcome for record in result.records if record.is_reference] == ["cut"]


def test_one_begins_where_the_seconds_of_those_before_promise_that_it_ends(tmp_path: Path) -> None:
    changes = {**LIGHT, "budget": {"device_time": 100.0}, "trials": None}
    config, store = config_of(**changes), begin(tmp_path, **changes)
    found = references.stored(store, config)
    history = History(config.objectives, config.recipe.epochs)
    budget = Budget(store, 100.0, ["cpu"])
    run = Context(config, store, budget, Silent(), lambda: False, history)
    source = ReferenceSuggestions(run, None, found, True)  # type: ignore[arg-type]
    first = source.ask()
    assert first.origin == found[0].origin and first.trial is None and seconds_left(run) == 10.0
    assert source._next() is None, "one at a time"
    macs = [genome.resolve(one.point.genome).macs for one in found]
    for number, seconds in enumerate([2.0, 2.0 * macs[1] / macs[0]]):
        record = Record(
            number,
            "done",
            origin=found[number].origin,
            epochs=1,
            planned_epochs=1,
            macs=macs[number],
            seconds=seconds,
        )
        history.add(record)
        following = source._next()
        left = 10.0 - sum(one.search_seconds for one in history.records())
        price = [2.0 * each / macs[0] for each in macs]
        payable = [
            one for one, each in zip(found[number + 1 :], price[number + 1 :], strict=True) if each <= left
        ]
        assert following == (payable[0] if payable else None)
        source.suggested.add(found[number + 1].name)


def test_none_follows_one_that_was_cut_in_its_first_epoch(tmp_path: Path) -> None:
    changes = {**LIGHT, "budget": {"device_time": 100.0}, "trials": None}
    config, store = config_of(**changes), begin(tmp_path, **changes)
    found, history = references.stored(store, config), History(config.objectives, config.recipe.epochs)
    run = Context(config, store, Budget(store, 100.0, ["cpu"]), Silent(), lambda: False, history)
    refused = Record(0, "refused", origin=found[0].origin, macs=1000)
    history.add(refused)
    assert ReferenceSuggestions(run, None, found, True)._next() == found[1]  # type: ignore[arg-type]
    history.add(Record(1, "cut", origin=found[1].origin, epochs=0, macs=1000, seconds=9.9))
    assert ReferenceSuggestions(run, None, found, True)._next() is None  # type: ignore[arg-type]


def test_a_study_that_was_begun_without_them_gets_none(tmp_path: Path) -> None:
    changes = {**LIGHT, "trials": None}
    store = begin(tmp_path, **changes)
    add(store)
    assert references.stored(store, config_of(**changes)) == []


KILLED = """
import os, signal, sys
from search.run.progress import Silent
from search.study import Study

class Killed(Silent):
    def epoch(self, number, row, epochs):
        if number == 0 and row["epoch"] == 1:  # its child waits at this rung
            os.kill(os.getpid(), signal.SIGKILL)

Study.load(sys.argv[1], sys.argv[2]).run(Killed())
"""


def test_one_that_was_killed_is_resumed_though_the_space_does_not_hold_it(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    changes = {**LIGHT, "references": ["zoo:resnet-20"], "trials": 1}
    changes |= {"train": {"epochs": 2, "batch": 128}, "budget": {"device_time": "1h", "rungs": [1]}}
    with commands() as start:
        command = start(written(**changes, workers=1), tmp_path / "runs", code=KILLED)
        command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == -signal.SIGKILL
    until(lambda: not members(command.pid))
    (begun,) = trials_in(tmp_path / "runs")
    assert begun.outcome == "running" and begun.reference and begun.origin and OUTSIDE in begun.origin.moves
    old, again, other = run(**changes, workers=1).records
    assert (old.outcome, again.outcome, again.retry_of) == ("interrupted", "done", 0)
    assert again.reference == old.reference and again.digest == old.digest and other.reference is None


# --- samplers


def test_the_sampler_learns_from_those_that_the_space_holds() -> None:
    history = History(config_of(objectives="accuracy").objectives, 1)
    for number, origin in enumerate(
        [Origin(REFERENCE, moves=("a", OUTSIDE)), Origin(REFERENCE, moves=("b",)), Origin("random"), None]
    ):
        text = text_of(width=number + 1)
        history.add(Record(number, "done", (0.5,), genome=text, digest=str(number), origin=origin))
    assert [one.number for one in history.individuals()] == [1, 2, 3]
    assert history.counted == 2


# It holds ResNet-20, and not ResNet-32.
RESNETS = yaml.safe_load("""\
nodes:
  stem: {op: conv, in: [image], width: 16}
  s1: {op: stack, in: [stem], width: 16, depth: {int: [1, 3]}, body: {op: residual, fit: front}}
  s2: {op: stack, in: [s1], width: 32, depth: 3, stride: 2, body: {op: residual, fit: front}}
  s3: {op: stack, in: [s2], width: 64, depth: 3, stride: 2, body: {op: residual, fit: front}}
  out: {op: exit, in: [s3]}
""")


@pytest.mark.parametrize(("name", "sampler"), [("evolve", None), ("tpe", None), ("auto", "of the user")])
def test_samplers_of_optuna_get_the_references_of_the_space_alone(
    written: Callable[..., Path],
    tmp_path: Path,
    name: str,
    sampler: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One trial without parameters would empty the search space of a sampler of Optuna, also of a sampler object."""
    words = {
        "limits": None,
        "references": ["zoo:resnet-20", "zoo:resnet-32"],
        "train": {"epochs": 1, "batch": 512},
    }
    file = written(**{**LIGHT, **words, "sampler": {"name": name, "seed": 0}, "space": RESNETS, "trials": 1})
    study = Study.load(file, tmp_path / "runs")
    result = (replace(study, sampler=optuna.samplers.TPESampler(seed=0)) if sampler else study).run()
    names = [record.reference for record in result.records]
    is_of_optuna = name != "evolve"
    assert names[0] == "resnet-20" and names.count("resnet-32") == (not is_of_optuna)
    assert ("reference resnet-32 left out" in caplog.text) == is_of_optuna
    assert result.records[0].outcome == "done" and names.count(None) == 1
    trials = open_to_read("tiny", tmp_path / "runs").study.trials
    assert all(trial.params for trial in trials) == is_of_optuna


# --- the finale and the messages


def test_the_finale_retrains_the_best_reference_beside_the_best_of_the_search(tmp_path: Path) -> None:
    changes = {
        **LIGHT,
        "objectives": {"accuracy": "maximize", "macs": "minimize"},
        "finale": {"top": 2, "seeds": 2},
    }
    config, store = config_of(**changes), begin(tmp_path, **changes)
    outside = Origin(REFERENCE, moves=("resnet", OUTSIDE)).to_json()
    for number, origin in enumerate((None, None, None, outside, outside)):
        plan = {"digest": str(number), "macs": 9000 - 1000 * number}
        text, accuracy = text_of(width=number + 1), 0.9 - number / 10
        add(store, "done", accuracy, text, origin, plan, epochs=1, planned_epochs=1)
    budget = Budget(store, 3600.0, ["cpu"])
    plan = FinalePlan(Context(config, store, budget, Silent(), lambda: False, History(config.objectives, 1)))
    assert list(dict.fromkeys(task.record.number for task in plan.tasks())) == [0, 1, 3]


def test_the_study_says_whether_it_found_anything_better() -> None:
    objectives = config_of(objectives="accuracy").objectives
    resnet = Record(0, "done", (0.9,), metrics={"accuracy": 0.9}, origin=Origin(REFERENCE, moves=("resnet",)))
    for accuracy, expected in (
        (0.8, "no network that the search found is better than the reference resnet"),
        (
            0.90001,
            "trial 1, which the search found, and the reference resnet reached the same accuracy, 0.9000",
        ),
        (0.95, "trial 1, which the search found, is better than every reference"),
    ):
        found = Record(1, "done", (accuracy,), metrics={"accuracy": accuracy})
        best = max(resnet, found, key=lambda one: one.metrics["accuracy"])
        assert reference_lines([resnet, found], [best], objectives) == [
            "references, accuracy: resnet 0.9000 (trial 0, done)",
            expected,
        ]
    assert reference_lines([found], [found], objectives) == []
    pruned = Record(2, "pruned", metrics={"accuracy": 0.2}, origin=Origin(REFERENCE, moves=("nin",)))
    last = reference_lines([resnet, found, pruned], [found], objectives)[-1]
    assert last.endswith("is better than every reference; 1 of these was not trained to the end")
