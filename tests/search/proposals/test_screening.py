"""A study that screens: candidates, choices, costs, and the state after a kill."""

import json
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

import genome
from search.cli.tables import result_text
from search.config.candidate import Candidate, candidate
from search.config.read import check_study
from search.objective import Objective
from search.proposals.ask import Suggestion
from search.proposals.history import History
from search.proposals.screening import Screener, ScreeningCandidate, evidence, summary
from search.samplers.proxy_vote import Screen
from search.space.recipe_space import RecipeSpace
from search.storage.record import Record
from search.study import Result
from search.workers.messages import Screening, Task
from search.workers.pool import Slot, WorkerPool
from tests.search.conftest import process_of, study_of
from tests.search.run.test_resume import STOP, Told

ACCURACY = Objective("accuracy", "maximize")
ASKED = {"proxies": ["params", "snip"], "keep": 0.4}
Run = Callable[..., Result]


def trained(number: int, params: float, accuracy: float, **changes: Any) -> Record:
    known: dict[str, Any] = {"epochs": 9, "metrics": {"accuracy": accuracy}, "proxies": {"params": params}}
    return Record(number, **{"outcome": "done", **known, **changes})


def network(suggestion: Suggestion) -> Candidate | None:
    assert suggestion.point is not None
    return candidate(suggestion.point, RecipeSpace())


@pytest.fixture
def screener() -> Screener:
    """A screener over the tiny space, drawn evenly, so that a digest to be avoided is met now and then."""
    space, rng = check_study(genome.yaml.source.parse(yaml.safe_dump(study_of()), "s.yaml")).space, Random(0)

    def propose(avoid: Collection[str]) -> Suggestion:
        return Suggestion(space.draw(rng))

    return Screener(Screen(("params",), 0.25), ACCURACY, History([ACCURACY], 9), propose)


def screening_candidate(screener: Screener) -> ScreeningCandidate:
    suggestion = screener.propose(())
    made = network(suggestion)
    assert made is not None
    return ScreeningCandidate(suggestion, made)


def test_one_candidate_while_nothing_is_trusted_and_many_then(screener: Screener) -> None:
    number = screener.add_batch(screening_candidate(screener), network, 0.5)
    assert number < 0 and len(screener.batches[number].candidates) == 1
    for i in range(8):
        screener.history.add(trained(i, params=i, accuracy=i / 10))
    many = screener.batches[screener.add_batch(screening_candidate(screener), network, 0.5)]
    assert many.votes == ("params",) and len(many.candidates) == 8
    assert len({one.network.digest for one in many.candidates}) == 8
    assert screener.digests() > {one.network.digest for one in many.candidates}


def test_the_vote_chooses_and_the_choice_pays(screener: Screener) -> None:
    for i in range(8):
        screener.history.add(trained(i, params=i, accuracy=i / 10))
    number = screener.add_batch(screening_candidate(screener), network, 0.5)
    candidates = screener.batches[number].candidates
    rows = [{"params": float(one.network.params), "zen": -float("inf")} for one in candidates]
    screened = screener.choose(number, rows, seconds=3.0)
    ranked = sorted(candidates, key=lambda one: -one.network.params)[:2]
    assert screened.suggestion is min(ranked, key=candidates.index).suggestion
    assert screened.charged_seconds == 1.5
    assert list(screened.proxies) == ["params"], "JSON knows no infinity"
    assert screener.batches == {}


def test_a_child_that_died_leaves_the_first_candidate(screener: Screener) -> None:
    first = screening_candidate(screener)
    number = screener.add_batch(first, network, 1.0)
    screened = screener.choose(number, *screener.unmeasured(number))
    assert (
        screened.suggestion is first.suggestion and screened.proxies == {} and screened.charged_seconds >= 0
    )


def test_pruned_trials_are_evidence_behind_those_that_came_further() -> None:
    records = [
        trained(0, 1.0, 0.5, outcome="pruned", epochs=1),
        trained(1, 2.0, 0.4, outcome="pruned", epochs=3),
        trained(2, 3.0, 0.3),
        trained(3, 4.0, 0.6, outcome="cut", epochs=5),
        trained(4, 5.0, 0.9, reused=2),
        trained(5, 6.0, 0.9, proxies=None),
        trained(6, 7.0, 0.9, outcome="failed", metrics={}),
    ]
    assert [one.cost for one in evidence(records, ACCURACY)] == [3.0, 2.0, 1.0, 0.0]
    assert summary(records, [ACCURACY]) == (
        "rank correlation of proxies with accuracy over 4 trials: params +1.00 (no vote)"
    )
    assert summary(records[4:], [ACCURACY]) is None


def screened(run: Run, progress: Any = None, **changes: Any) -> Result:
    study = {"screen": ASKED, "sampler": "random", "objectives": "accuracy", "trials": 11, **changes}
    return run(progress, **study)


def test_every_trial_of_a_study_keeps_its_proxies_and_pays_for_its_screening(run: Run) -> None:
    result = screened(run)
    assert [record.outcome for record in result.records] == ["done"] * 11
    for record in result.records:
        assert record.proxies is not None and record.proxies["params"] == record.params
        report = json.loads((result.folder / "trials" / str(record.number) / "report.json").read_text())
        paid = report["paid_seconds"]
        assert paid > 0
        assert record.seconds == pytest.approx(paid + report["seconds"] / 2, abs=1e-5), (
            "two slots, one device"
        )
    assert result.spent_seconds == pytest.approx(sum(record.seconds for record in result.records))
    assert "proxies with accuracy over 11 trials: params " in result_text(result, [ACCURACY], "")


def test_what_proxies_were_worth_is_known_when_the_study_goes_on(run: Run) -> None:
    screened(run, trials=3)
    result = screened(run, trials=10)
    assert len(result.records) == 10 and all(record.proxies for record in result.records)
    assert "over 10 trials" in (summary(result.records, [ACCURACY]) or "")


def test_a_trial_that_pauses_at_its_rung_is_evidence_too(run: Run) -> None:
    result = screened(
        run, pruner="asha", budget={"rungs": [1, 2]}, train={"epochs": 4, "batch": 256}, trials=12
    )
    assert {record.outcome for record in result.records} == {"done", "pruned"}
    assert all(record.proxies for record in result.records)
    assert "over 12 trials" in (summary(result.records, [ACCURACY]) or "")
    resting = trained(0, 1.0, 0.9, outcome="paused", epochs=1)
    assert [one.cost for one in evidence([resting, trained(1, 2.0, 0.3)], ACCURACY)] == [1.0, 0.0]


def test_a_trial_that_repeats_an_interrupted_one_is_not_screened_again(run: Run) -> None:
    long = {
        "trials": 1,
        "workers": 1,
        "train": {"epochs": STOP + 1, "batch": 256},
        "budget": {"rungs": [STOP]},
    }
    screened(run, Told(stop_at=STOP), **long)
    first, second = screened(run, **long).records
    assert (first.outcome, second.outcome, second.retry_of) == ("interrupted", "done", 0)
    assert first.proxies and second.proxies == first.proxies


def test_a_child_that_is_killed_while_it_screens_costs_no_trial(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    give, killed = WorkerPool.give, []

    def give_and_kill(crew: WorkerPool, slot: Slot, task: Task) -> None:
        pid = process_of(slot).pid
        if isinstance(task, Screening) and not killed and pid is not None:
            killed.append(pid)
            os.kill(pid, signal.SIGSTOP)  # the process must not answer first
            give(crew, slot, task)
            os.kill(pid, signal.SIGKILL)
        else:
            give(crew, slot, task)

    monkeypatch.setattr(WorkerPool, "give", give_and_kill)
    result = screened(run, trials=3)
    assert killed and [record.outcome for record in result.records] == ["done"] * 3
    assert sorted(bool(record.proxies) for record in result.records) == [False, True, True]


def test_limits_are_kept_by_candidates_too(run: Run) -> None:
    result = screened(run, limits={"params": 900}, trials=24)
    trained = [record for record in result.records if record.outcome == "done"]
    assert len(trained) > 8
    assert all(record.params is not None and record.params <= 900 and record.proxies for record in trained)
    assert all(record.proxies is None for record in result.records if record.outcome == "refused")


def test_a_screen_is_part_of_the_study(run: Run, tmp_path: Path) -> None:
    from search.errors import StudyError

    screened(run, trials=1)
    with pytest.raises(StudyError, match=r"screen.keep: 0.4 -> 0.5"):
        screened(run, trials=1, screen={**ASKED, "keep": 0.5})
