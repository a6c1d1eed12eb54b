"""A study that screens: what is drawn, who is chosen, what it costs, and what survives a kill."""

import json
import math
import os
import signal
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import yaml

import genome
from search.cli.tables import result_text
from search.config.candidate import Candidate, candidate
from search.config.study import check_study
from search.objective import Objective
from search.proposals.ask import Drawn
from search.proposals.history import Past
from search.proposals.screening import Option, Sieve, evidence, summary
from search.samplers import proxy_vote
from search.samplers.base import Individual
from search.samplers.bayes import Kernel
from search.samplers.proxy_vote import Row, Screen
from search.samplers.random_search import Even
from search.storage.record import Record
from search.study import Result
from search.workers.messages import Screening, Task
from search.workers.pool import Crew, Slot
from tests.search.conftest import study_of
from tests.search.run.test_resume import STOP, Told

ACCURACY = Objective("accuracy", "maximize")
ASKED = {"proxies": ["params", "snip"], "keep": 0.4}
Run = Callable[..., Result]


def trained(number: int, params: float, accuracy: float, **changes: Any) -> Record:
    known: dict[str, Any] = {"epochs": 9, "metrics": {"accuracy": accuracy}, "proxies": {"params": params}}
    return Record(number, **{"outcome": "done", **known, **changes})


def network(drawn: Drawn) -> Candidate | None:
    assert drawn.genome is not None
    return candidate(drawn.genome, 32, "sgd")


@pytest.fixture
def sieve() -> Sieve:
    """Over the tiny space, drawn evenly, so that a digest to be avoided is met now and then."""
    space, rng = check_study(genome.source.parse(yaml.safe_dump(study_of()), "s.yaml")).space(), Random(0)

    def propose(avoid: Collection[str]) -> Drawn:
        return Drawn(space.sample(rng))

    return Sieve(Screen(("params",), 0.25), ACCURACY, Past([ACCURACY], 9), propose)


def option(sieve: Sieve) -> Option:
    drawn = sieve.propose(())
    made = network(drawn)
    assert made is not None
    return Option(drawn, made)


def test_one_candidate_while_nothing_is_trusted_and_many_then(sieve: Sieve) -> None:
    number = sieve.gather(option(sieve), network, 0.5)
    assert number < 0 and len(sieve.batches[number].options) == 1
    for i in range(8):
        sieve.learn(trained(i, params=i, accuracy=i / 10))
    many = sieve.batches[sieve.gather(option(sieve), network, 0.5)]
    assert many.votes == ("params",) and len(many.options) == 8
    assert len({one.network.digest for one in many.options}) == 8
    assert sieve.digests() > {one.network.digest for one in many.options}


def test_the_vote_chooses_and_the_choice_pays(sieve: Sieve) -> None:
    for i in range(8):
        sieve.learn(trained(i, params=i, accuracy=i / 10))
    number = sieve.gather(option(sieve), network, 0.5)
    options = sieve.batches[number].options
    rows = [{"params": float(one.network.params), "zen": -float("inf")} for one in options]
    sifted = sieve.chosen(number, rows, seconds=3.0)
    ranked = sorted(options, key=lambda one: -one.network.params)[:2]
    assert sifted.drawn is min(ranked, key=options.index).drawn
    assert sifted.charged_seconds == 1.5
    assert list(sifted.proxies) == ["params"], "JSON knows no infinity"
    assert sieve.batches == {}


def test_a_model_chooses_in_place_of_the_vote_where_it_is_asked(sieve: Sieve) -> None:
    for i in range(8):
        sieve.learn(trained(i, params=i, accuracy=i / 10))
    found: list[float] | None = [3.0, 1.0, 1.0, 6.0, 2.0, 6.0, 0.0, 9.0]
    rows: list[Row | None] = [*({"params": value} for value in (1.0, 9.0, 2.0, 3.0, 4.0, 8.0, 5.0)), None]
    asked: list[Any] = []

    def gains(candidates: Sequence[Drawn], _: Sequence[Row | None], names: Sequence[str]) -> Any:
        asked.append((len(candidates), names))
        return found

    def place(rows: list[Row | None]) -> int:
        number = sieve.gather(option(sieve), network, 1.0)
        options = [one.drawn for one in sieve.batches[number].options]
        return options.index(sieve.chosen(number, rows, 0.0).drawn)

    sieve.gains = gains
    assert place(rows) == 1 and asked == [], "the first of the two that the vote keeps"
    sieve.screen = sieve.screen._replace(features=True)
    assert place(rows) == 3, "the first of equals, and none that was not measured"
    assert asked == [(8, ("params",))]
    assert place([None] * 8) == 0
    found = None
    assert place(rows) == 1, "while there is no model"
    sieve.screen = sieve.screen._replace(start=99)
    assert place(rows) == 1 and len(asked) == 2, "a start is by the vote"


def test_the_first_are_chosen_by_proxies_unseen_where_the_study_wants_it(
    sieve: Sieve, caplog: pytest.LogCaptureFixture
) -> None:
    sieve.screen = Screen(("params", "snip"), 0.25, start=3)
    with caplog.at_level("INFO", "search"):
        numbers = [sieve.gather(option(sieve), network, 1.0) for _ in range(4)]
    assert [len(sieve.batches[number].options) for number in numbers] == [8, 8, 8, 1], (
        "those in hand are counted"
    )
    assert caplog.messages == [
        "screen.start: params, snip choose the first 3 networks, unseen what they are worth"
    ]
    options = sieve.batches[numbers[0]].options
    rows: list[Row] = [{"params": v, "snip": v} for v in (1, 9, 2, 3, 4, 10, 5, 6)]
    assert sieve.chosen(numbers[0], rows, 0.0).drawn is options[5].drawn, (
        "the highest vote, not the first of two"
    )


def test_who_was_begun_is_counted_by_what_the_storage_has(sieve: Sieve) -> None:
    sieve.screen = Screen(("params",), 0.25, start=3)

    def stored(number: int, digest: str, **changes: Any) -> Record:
        return trained(
            number, 1.0, 0.5, genome=genome.dump(option(sieve).drawn.genome), digest=digest, **changes
        )

    sieve.past.add(stored(0, "a", outcome="interrupted", metrics={}))
    sieve.past.add(stored(1, "a", retry_of=0))
    sieve.past.add(stored(2, "b", outcome="running", metrics={}))
    sieve.past.add(stored(3, "c", proxies=None))
    assert sieve.past.screened == 2 and sieve.is_starting
    sieve.past.add(stored(4, "d", outcome="failed", metrics={}))
    assert not sieve.is_starting


def test_a_child_that_died_leaves_the_first_candidate(sieve: Sieve) -> None:
    first = option(sieve)
    number = sieve.gather(first, network, 1.0)
    sifted = sieve.chosen(number, *sieve.lost(number))
    assert sifted.drawn is first.drawn and sifted.proxies == {} and sifted.charged_seconds >= 0


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


def params(result: Result) -> list[int]:
    return [record.params or 0 for record in result.records]


def drawn_params(trial: int) -> int:
    """Params of the first candidate of a trial of the tiny study: what is trained where nothing votes."""
    text, past = yaml.safe_dump(study_of(), sort_keys=False), cast("list[Individual]", [None] * trial)
    space = check_study(genome.source.parse(text, "s.yaml")).space()
    made = network(Drawn(Even(space, 0).propose(past).genome))
    assert made is not None
    return made.params


def test_a_start_by_proxies_is_remembered_when_the_study_goes_on(run: Run) -> None:
    study = {"workers": 1, "screen": {"proxies": ["params"], "keep": 0.25, "start": 4}}
    screened(run, trials=3, **study)
    found, even = params(screened(run, trials=6, **study)), [drawn_params(i) for i in range(6)]
    assert all(chosen >= first for chosen, first in zip(found[:4], even[:4], strict=True))
    assert found[0] > even[0] and found[3] > even[3], "before it was resumed, and after"
    assert found[4:] == even[4:]


def test_proxies_are_features_of_the_model_of_a_study_that_wants_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, gains = [], Kernel.gains

    def seen(*given: Any) -> Any:
        judged.append(gains(*given))
        return judged[-1]

    monkeypatch.setattr(Kernel, "gains", seen)
    monkeypatch.setattr(proxy_vote, "LEAST_CORRELATION", -1.0)  # whatever a few short trainings come to
    asked = {"proxies": ["params", "macs"], "keep": 0.4, "features": True}
    result = screened(run, trials=12, workers=1, sampler="kernel", screen=asked)
    assert [record.outcome for record in result.records] == ["done"] * 12
    found = [each for each in judged if each is not None]
    assert found and all(len(each) == 5 and all(map(math.isfinite, each)) for each in found)


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
    give, killed = Crew.give, []

    def give_and_kill(crew: Crew, slot: Slot, task: Task) -> None:
        pid = slot.process.pid
        if isinstance(task, Screening) and not killed and pid is not None:
            killed.append(pid)
            os.kill(pid, signal.SIGSTOP)  # so that it does not answer first
            give(crew, slot, task)
            os.kill(pid, signal.SIGKILL)
        else:
            give(crew, slot, task)

    monkeypatch.setattr(Crew, "give", give_and_kill)
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
    with pytest.raises(StudyError, match=r"screen.start: nothing -> 4"):
        screened(run, trials=1, screen={**ASKED, "start": 4})
