"""The finale: what it trains and in which order, and what remains after Ctrl-C and kill -9."""

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState
from safetensors.torch import load_file

from search.config.finale import Finale
from search.config.read import parse_study
from search.objective import Objective
from search.proposals.history import History
from search.run.budget import Budget
from search.run.context import Context
from search.run.finale import FinaleWork
from search.run.finale_plan import AMPLE, FinalePlan, Task, claimed, expected_seconds, tasks
from search.run.jobs import Jobs
from search.run.progress import Silent
from search.samplers.surrogate.model import Surrogate
from search.storage.record import CHARGED, Record
from search.storage.seed_results import SeedResult
from search.storage.study import TEXT_ATTR, Store, open_to_read, open_to_write
from search.storage.trial_files import CHECKPOINT_FILE
from search.storage.trial_report import TrialReport
from search.study import Result, Study
from search.workers.local import Local, LocalWorker
from search.workers.messages import Event, Job, Rung, Setup, Verdict
from search.workers.pool import Slot, WorkerPool
from tests.command import PATIENCE_SECONDS, commands, members, until
from tests.search.conftest import study_of
from tests.search.dashboard.kept import add, begin, text_of
from tests.search.run.retrained import trial
from trainer import Checkpoint, files

Run = Callable[..., Result]

ACCURACY, MACS = Objective("accuracy", "maximize"), Objective("macs", "minimize")
SMALL = {
    "trials": 3,
    "objectives": "accuracy",
    "finale": {"top": 2, "seeds": 2},
    "sampler": {"name": "random", "seed": 3},
}


# --- what is trained


def test_each_seed_is_another_than_that_of_the_search() -> None:
    assert Finale(seeds=3).fresh_seeds(0) == (1, 2, 3)
    assert Finale(seeds=3).fresh_seeds(1) == (0, 2, 3)
    assert Finale(seeds=2).fresh_seeds(7) == (0, 1)


def test_every_network_has_its_turn_before_any_has_another() -> None:
    records = [trial(4, 0.9), trial(2, 0.8, {1: 0.5}), trial(7, 0.7, {1: None})]
    left = [(task.record.number, task.seed) for task in tasks(records, (1, 2), epochs=1)]
    assert left == [(4, 1), (4, 2), (2, 2)], "what is done is not done again, who failed is spared the rest"
    assert len(tasks(records, (1, 2), epochs=5)) == 6, "more epochs are trained anew"


def test_what_a_training_will_take_goes_by_the_trial() -> None:
    whole = Record(0, "done", epochs=10, planned_epochs=10)
    assert expected_seconds(whole, 5.0, 10, None) == 5.0
    assert expected_seconds(whole, 7.0, 20, None) == 14.0
    cut = Record(0, "cut", epochs=2, planned_epochs=10)
    assert expected_seconds(cut, 5.0, 10, None) == 25.0
    assert expected_seconds(cut, 5.0, 10, 6.0) == 6.0


# --- whole studies


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of the small study; tests do not change it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study_of(**SMALL), sort_keys=False))
    return Study.load(folder / "tiny.yaml", folder / "runs").run(Silent())


@pytest.fixture
def ended(whole: Result, tmp_path: Path) -> Result:
    """The result of the small study, of which `run` and tmp_path/runs go on with a copy."""
    shutil.copytree(whole.folder.parent, tmp_path / "runs")
    return whole


def report_of(result: Result, number: int, seed: int) -> dict[str, Any]:
    return dict(
        json.loads((result.folder / "trials" / str(number) / "seeds" / str(seed) / "report.json").read_text())
    )


def trained(result: Result) -> dict[tuple[int, int], SeedResult]:
    """Return every training of the finale by trial and seed."""
    return {(r.number, seed): one for r in result.records if r.finale for seed, one in r.finale.seeds.items()}


def spent(result: Result) -> None:
    """Check that the budget is the sum of the trials, and each seed what its report says."""
    assert result.spent_seconds == pytest.approx(sum(r.seconds for r in result.records))
    for (number, seed), one in trained(result).items():
        report = report_of(result, number, seed)
        assert one.seconds == pytest.approx(
            one.earlier_seconds + TrialReport.of_json(report).charge.job_seconds, abs=1e-5
        )


class Told(Silent):
    """Records the messages of the finale; at an epoch of it, asks for a stop, as Ctrl-C does."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.lines: list[str] = []
        self.epochs: dict[tuple[int, int], list[int]] = {}
        self.spent: list[float] = []  # as reported when a seed has ended

    def seed_ended(self, number: int, seed: int, one: Any, spent: float) -> None:
        self.spent.append(spent)

    def said(self, line: str) -> None:
        if not line.startswith(("digits: ", "splits: ", "10 classes: ")):  # what every run says of its images
            self.lines.append(line)

    def seed_epoch(self, number: int, seed: int, row: Any, epochs: int) -> None:
        self.epochs.setdefault((number, seed), []).append(row["epoch"])
        if row["epoch"] == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def test_beside_the_best_result_those_are_retrained_that_the_model_takes_for_the_best(run: Run) -> None:
    """A result of one epoch is mostly luck; the network of the best one is retrained in any case."""
    changes = {**SMALL, "trials": 14, "finale": "none"}
    found = run(**changes).records
    ranked = sorted(found, key=lambda r: (-r.metrics["accuracy"], r.metrics["loss"]))
    file = parse_study(yaml.safe_dump(study_of(**changes), sort_keys=False), "<test>")
    history = History(file.objectives, file.recipe.epochs)
    for record in found:
        history.add(record)
    means = Surrogate(file.space, file.seed).means(history.individuals())
    expected = [ranked[0].number, *sorted((r.number for r in ranked[1:]), key=means.__getitem__)[:2]]
    told = Told()
    run(told, **{**changes, "finale": {"top": 3, "seeds": 2}})
    assert told.lines == [f"finale: from scratch, trials {', '.join(map(str, expected))} with seeds 1, 2"]


def test_the_best_are_trained_anew_and_the_best_seed_is_handed_out(run: Run) -> None:
    told = Told()
    result = run(told, **SMALL)
    assert result.stop == "all 3 trials were made; the finale is over"
    ranked = sorted(result.records, key=lambda r: (-r.metrics["accuracy"], r.metrics["loss"]))
    numbers = [record.number for record in ranked[:2]]
    assert set(trained(result)) == {(number, seed) for number in numbers for seed in (1, 2)}
    assert told.lines == [f"finale: from scratch, trials {numbers[0]}, {numbers[1]} with seeds 1, 2"]
    assert {one.outcome for one in trained(result).values()} == {"done"}
    spent(result)
    (winner,) = result.best
    means = [spread for r in ranked[:2] if r.finale and (spread := r.finale.spread("accuracy"))]
    best, reached = max(means, key=lambda one: one.mean), winner.finale and winner.finale.spread("accuracy")
    assert reached and reached.mean >= best.mean - best.standard_error
    assert result.exported is not None
    info = json.loads((result.exported / "report.json").read_text())
    assert info["trial"] == winner.number
    assert info["accuracy"]["valid"] == max(one.accuracy for one in winner.finale.trainings.values())  # type: ignore[type-var]
    assert info["over_seeds"]["accuracy"]["mean"] == reached.mean
    best = winner.finale.best(ACCURACY)
    folder = result.folder / "trials" / str(winner.number) / ("" if best is None else f"seeds/{best}")
    assert json.loads((folder / "report.json").read_text())["seed"] == info["seeds"]["train"]
    kept, out = load_file(folder / "weights.safetensors"), load_file(result.exported / "weights.safetensors")
    assert all(kept[name].equal(out[name]) for name in kept)
    for record in ranked[:2]:  # what the weights get wrong that an export of each would have
        seed = record.finale.best(ACCURACY)  # type: ignore[union-attr]
        beside = result.folder / "trials" / str(record.number) / ("" if seed is None else f"seeds/{seed}")
        plain = files.unsealed((beside / "evaluation.json").read_bytes())
        assert plain is not None
        assert plain["weights"] == files.sha256((beside / "weights.safetensors").read_bytes())
        assert plain["accuracy"] == record.finale.trainings[seed].accuracy  # type: ignore[union-attr]
    again = run(told, **SMALL)
    assert (again.records, again.stop, len(told.lines)) == (result.records, result.stop, 1)


def spend(folder: Path, seconds: float) -> None:
    """Charge the tiny study of a folder for a trial of so many seconds."""
    with open_to_write("tiny", folder) as store:
        trial = store.study.ask()
        trial.set_user_attr(CHARGED, seconds)
        store.study.tell(trial, state=TrialState.FAIL)


def test_the_search_goes_on_with_what_the_finale_does_not_need(run: Run, tmp_path: Path) -> None:
    changes = {**SMALL, "budget": {"device_time": 10_000}, "finale": {"share": 0.7, "top": 1, "seeds": 2}}
    run(**{**changes, "trials": 1, "finale": "none"})
    spend(tmp_path / "runs", 3000.0)  # all but the finale's reserve
    result = run(**changes)
    assert result.stop == "all 3 trials were made; the finale is over"
    assert len(trained(result)) == 2
    spent(result)


def test_the_finale_keeps_what_it_needs_and_trains_further_seeds_while_it_can_pay(tmp_path: Path) -> None:
    finale = {"finale": {"share": 0.7, "top": 1, "seeds": 2}, "budget": {"device_time": 100}}
    file = parse_study(yaml.safe_dump(study_of(**finale)), "<test>")
    store = begin(tmp_path, **finale)
    number = add(store, text=text_of(), seconds=4.0, epochs=1, planned_epochs=1)
    budget = Budget(store, 100.0, ["cpu"], reserved_seconds=70.0)
    budget.refresh()
    history = History(file.objectives, file.recipe.epochs)
    last = FinalePlan(Context(file, store, budget, Silent(), lambda: False, history))
    assert last.release() and budget.reserved_seconds == AMPLE * (4 + 4) + 4, (
        "two seeds, and a trial under way"
    )
    assert not last.release(), "no more than that"
    for seed in (1, 2):
        store.store_seed(number, seed, SeedResult("done", 1, seconds=4.0, accuracy=0.5, loss=1.0))
    budget.refresh()
    assert budget.left_seconds() == 100 - 3 * 4
    assert [task.seed for task in last.next_round()] == [3]
    budget.others_seconds = 100 - AMPLE * 4
    assert not last.next_round() and last.rounds == 1, "what is left pays no further seed"


def test_after_a_finale_the_seeds_of_a_newcomer_stay_reserved(tmp_path: Path) -> None:
    """A network that a resumed search finds must not replace one that was retrained, with a single training."""
    finale = {"finale": {"share": 0.7, "top": 1, "seeds": 2}, "budget": {"device_time": 100}}
    file = parse_study(yaml.safe_dump(study_of(**finale)), "<test>")
    store = begin(tmp_path, **finale)
    number = add(store, text=text_of(), seconds=4.0, epochs=1, planned_epochs=1)
    for seed in (1, 2):
        store.store_seed(number, seed, SeedResult("done", 1, seconds=4.0, accuracy=0.5, loss=1.0))
    budget = Budget(store, 100.0, ["cpu"], reserved_seconds=70.0)
    budget.refresh()
    plan = FinalePlan(Context(file, store, budget, Silent(), lambda: False, History(file.objectives, 1)))
    assert not plan.tasks() and plan.release()
    assert budget.reserved_seconds == AMPLE * (4 + 4) + 4


def test_a_finale_that_is_due_twice_still_trains_further_seeds(tmp_path: Path) -> None:
    """A resumed study asks before it starts workers, and again afterwards."""
    finale = {"finale": {"share": 0.9, "top": 1, "seeds": 2}, "budget": {"device_time": 100}}
    file = parse_study(yaml.safe_dump(study_of(**finale)), "<test>")
    store = begin(tmp_path, **finale)
    add(store, text=text_of(), seconds=10.0, epochs=1, planned_epochs=1)
    budget = Budget(store, 100.0, ["cpu"], reserved_seconds=90.0)
    budget.refresh()
    run = Context(file, store, budget, Silent(), lambda: False, History(file.objectives, 1))
    work = FinaleWork(run, FinalePlan(run))
    assert [work.is_due(), work.is_due()] == [True, True]
    assert work.has_rounds_only


def test_a_training_that_was_claimed_and_cannot_be_paid_is_given_back(tmp_path: Path) -> None:
    finale = {"finale": {"share": 0.9, "top": 1, "seeds": 2}, "budget": {"device_time": 100}}
    file = parse_study(yaml.safe_dump(study_of(**finale)), "<test>")
    store = replace(begin(tmp_path, **finale), shared=True)
    number = add(store, text=text_of(), seconds=10.0, epochs=1, planned_epochs=1)
    budget = Budget(store, 100.0, ["cpu"], reserved_seconds=90.0)
    budget.refresh()
    run = Context(file, store, budget, Silent(), lambda: False, History(file.objectives, 1))
    work = FinaleWork(run, FinalePlan(run))
    assert work.is_due()
    add(store, text=text_of(kernel=1), accuracy=0.4, seconds=85.0)  # of another coordinator, meanwhile
    ours, theirs = multiprocessing.Pipe()
    setup = Setup("digits", None, None, None, "cpu", 1)
    assert not work.fill(
        WorkerPool(
            Local(), [Slot(setup, LocalWorker(setup, multiprocessing.current_process(), ours, theirs))]
        )
    )
    seeds = store.records()[number].finale
    assert seeds is not None and [one.outcome for one in seeds.seeds.values()] == ["interrupted"]
    assert work.over() == "the finale is over"


def test_a_purse_that_cannot_pay_a_training_says_so(run: Run, tmp_path: Path) -> None:
    changes = {**SMALL, "budget": {"device_time": 1000}}
    first = run(**{**changes, "finale": "none"})
    spend(tmp_path / "runs", 1000 - first.spent_seconds - 0.5 * min(r.seconds for r in first.records))
    result = run(**{**changes, "trials": None, "finale": {"share": 0.02}})
    assert (
        "the search has spent its share of the budget; no finale: it needs 2 trainings of about "
        in result.stop
    )
    assert result.stop.endswith("; the best of the search stands")
    assert not trained(result) and result.exported is not None


@contextmanager
def held(epoch: int) -> Iterator[None]:
    """Hold the first training of the finale at an epoch, as at a rung, until its child was asked to stop."""
    made, halt = Jobs.seed, WorkerPool.halt

    def job(self: Jobs, *given: Any) -> Job:
        return made(self, *given)._replace(rungs=() if given[0] else (epoch,))

    def halt_and_let_go(crew: WorkerPool) -> None:
        halt(crew)
        for slot in crew.busy():
            assert slot.job is not None
            crew.answer(slot.job.number, Verdict(stop=False))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "seed", job)
        patch.setattr(WorkerPool, "halt", halt_and_let_go)
        yield


class Kills(Told):
    """Kills the worker of the first training of the finale, and of its repetitions, some times."""

    def __init__(self, times: int, stops: bool = False) -> None:
        super().__init__()
        self.times, self.stops = times, stops
        self.hit: tuple[int, int] | None = None

    def seed_epoch(self, number: int, seed: int, row: Any, epochs: int) -> None:
        super().seed_epoch(number, seed, row, epochs)
        self.hit = self.hit or (number, seed)
        if self.times > 0 and self.hit == (number, seed):
            self.times -= 1
            if self.stops:
                os.kill(os.getpid(), signal.SIGINT)
            for child in multiprocessing.active_children():
                child.kill()


@contextmanager
def slow_at(epoch: int) -> Iterator[None]:
    """Hold every training of the finale at an epoch, as at a rung, until the coordinator has seen the epoch."""
    made, handle = Jobs.seed, FinaleWork.handle

    def job(self: Jobs, *given: Any) -> Job:
        return made(self, *given)._replace(rungs=(epoch,))

    def answered(self: FinaleWork, event: Event, pool: WorkerPool) -> None:
        handle(self, event, pool)
        if isinstance(event, Rung):
            pool.answer(event.number, Verdict(stop=False))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "seed", job)
        patch.setattr(FinaleWork, "handle", answered)
        yield


def test_a_training_whose_worker_is_killed_once_is_repeated(run: Run) -> None:
    kills = Kills(1)
    with slow_at(1):
        result = run(kills, **SMALL, workers=1)
    assert kills.hit is not None
    number, seed = kills.hit
    assert {one.outcome for one in trained(result).values()} == {"done"} and len(trained(result)) == 4
    assert trained(result)[number, seed].earlier_seconds > 0, "what the killed one cost stays charged"
    assert kills.lines[1:] == [
        f"trial {number}, seed {seed}: the worker died, killed by signal 9, SIGKILL (out of memory?); "
        "it is trained again"
    ]


def test_a_training_whose_worker_is_killed_twice_cannot_win(run: Run) -> None:
    kills = Kills(2)
    with slow_at(1):
        result = run(kills, **SMALL, workers=1)
    assert kills.hit is not None
    number, seed = kills.hit
    one = trained(result)[number, seed]
    assert (one.outcome, one.kind) == ("failed", "killed") and one.seconds > one.earlier_seconds > 0
    assert [at for at in trained(result) if at[0] == number] == [(number, seed)], "spared the other seed"
    assert result.best[0].number != number


def test_a_worker_that_is_killed_while_the_run_ends_was_interrupted(run: Run) -> None:
    kills = Kills(1, stops=True)
    with slow_at(1):
        stopped = run(kills, **SMALL, workers=1)
    ((at, one),) = trained(stopped).items()
    assert (at, one.outcome, one.kind) == (kills.hit, "interrupted", None)
    assert {seed.outcome for seed in trained(run(**SMALL)).values()} == {"done"}


@contextmanager
def of_an_earlier_version(runs: Path) -> Iterator[Store]:
    """Open the tiny study as an earlier version stored it, without a ledger of its charges."""
    with closing(sqlite3.connect(runs / "tiny" / "study.db")) as database, database:
        database.execute("DELETE FROM genome_ledger")
    with open_to_write("tiny", runs) as store:
        yield store


def test_a_seed_that_an_earlier_version_lost_to_sigterm_is_trained_again(
    run: Run, ended: Result, tmp_path: Path
) -> None:
    at, one = next(iter(trained(ended).items()))
    lost = SeedResult("failed", one.epochs, 0.5, kind="killed", reason="killed by signal 15, SIGTERM")
    with of_an_earlier_version(tmp_path / "runs") as store:
        store.store_seed(*at, lost)
    (store.seed_folder(*at) / "report.json").unlink()
    again = run(**SMALL)
    assert trained(again)[at].outcome == "done" and trained(again)[at].earlier_seconds == 0.5


NARROW = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"int": [2, 8]}},
        "out": {"op": "exit", "in": ["stem"]},
    }
}
EPOCHS = 8
TRAIN = {"epochs": EPOCHS, "batch": 64, "layout": "contiguous", "precision": "fp32"}
LONG = {**SMALL, "train": TRAIN, "workers": 1, "trials": 2, "space": NARROW}


def test_ctrl_c_in_the_finale_and_going_on(run: Run) -> None:
    with held(5):
        stopped = run(Told(stop_at=5), **LONG)
    assert stopped.is_interrupted and stopped.stop == "stopped by hand" and stopped.exported is None
    ((at, one),) = trained(stopped).items()
    assert one.outcome == "interrupted" and one.seconds > 0
    told = Told()
    result = run(told, **LONG)
    assert told.spent == sorted(told.spent) and told.spent[-1] == pytest.approx(
        result.spent_seconds, abs=0.01
    )
    assert told.epochs[at] == [*range(6, EPOCHS + 1)]
    report = report_of(result, *at)
    assert [row["epoch"] for row in report["curve"]] == [*range(1, EPOCHS + 1)]
    assert trained(result)[at].seconds == pytest.approx(report["seconds"] * report["charged_share"], abs=1e-3)
    assert len(trained(result)) == 4
    spent(result)
    assert not [*result.folder.rglob(f"*{CHECKPOINT_FILE}*")]


KILLED = """
import os, signal, sys
import search.run.jobs
from search.run.progress import Silent
from search.storage.trial_report import TrialReport
from search.study import Study

class Killed(Silent):
    def seed_epoch(self, number, seed, row, epochs):
        if (seed, row["epoch"]) == (2, 3):  # it waits there, as at a rung
            os.kill(os.getpid(), signal.SIGKILL)

made = search.run.jobs.Jobs.seed

def job(self, number, task, *given):
    return made(self, number, task, *given)._replace(rungs=(3,) if task.seed == 2 else ())

search.run.jobs.CHECKPOINT_SECONDS, search.run.jobs.Jobs.seed = 0.0, job
Study.load(sys.argv[1], sys.argv[2]).run(Killed())
"""


@pytest.mark.slow
def test_killed_in_the_finale_it_goes_on_and_each_seed_is_paid_once(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    trials = tmp_path / "runs" / "tiny" / "trials"
    with commands(False) as start:
        command = start(written(**LONG), tmp_path / "runs", code=KILLED)
        command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == -signal.SIGKILL
    until(lambda: not members(command.pid))
    (half,) = trials.glob("*/seeds/2/checkpoint")
    reports = {path: path.stat().st_mtime_ns for path in trials.glob("*/seeds/*/report.json")}
    at, state = (int(half.parts[-4]), 2), Checkpoint(half).load()
    assert state is not None and state["progress"]["epochs"] == 3
    store = open_to_read("tiny", tmp_path / "runs")
    before = next(r for r in store.records() if r.number == at[0])
    told = Told()
    result = run(told, **LONG)
    assert len(reports) >= 2 and {path: path.stat().st_mtime_ns for path in reports} == reports
    assert told.epochs[at] == [*range(4, EPOCHS + 1)], "it went on from its checkpoint"
    assert len(trained(result)) == 4
    spent(result)
    assert before.finale is not None
    assert trained(result)[at].earlier_seconds == before.finale.seeds[2].seconds
    whole = run(**{**LONG, "study": "whole"})
    assert {at: (one.accuracy, one.loss) for at, one in trained(whole).items()} == {
        at: (one.accuracy, one.loss) for at, one in trained(result).items()
    }, "as if it had never been killed"


def test_a_report_that_was_written_before_a_kill_is_taken(run: Run, ended: Result, tmp_path: Path) -> None:
    at, one = next(iter(trained(ended).items()))
    half = SeedResult("running", one.epochs, seconds=0.7 + one.seconds / 2, earlier_seconds=0.7)
    with of_an_earlier_version(tmp_path / "runs") as store:
        store.store_seed(*at, half)
    told = Told()
    again = run(told, **SMALL)
    assert told.epochs == {}
    assert trained(again)[at] == one._replace(seconds=pytest.approx(0.7 + one.seconds), earlier_seconds=0.7)


def test_what_the_purse_ends_goes_on_when_the_budget_grows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**LONG, "finale": {"share": 0.001, "top": 1, "seeds": 1}, "trials": 3}
    first = run(**{**changes, "finale": "none", "trials": 2}, budget={"device_time": 1000})
    spend(tmp_path / "runs", 1000 - first.spent_seconds - 0.3 * first.best[0].seconds)
    for module in ("finale", "finale_plan"):  # begun though the budget cannot pay for it
        monkeypatch.setattr(f"search.run.{module}.HEADROOM", 0.0)
    with held(1):
        ended = run(**changes, budget={"device_time": 1000})
    ((at, one),) = trained(ended).items()
    assert (one.outcome, at) == ("interrupted", (first.best[0].number, 1))
    assert one.seconds > 0
    assert ended.stop.endswith("; the finale made 0 of 1 trainings: too few, the best of the search stands")
    assert ended.exported is not None
    longer = run(**changes, budget={"device_time": 2000})
    assert trained(longer)[at].outcome == "done"
    assert report_of(longer, *at)["earlier_seconds"] > 0, "it went on from its checkpoint"
    spent(longer)


def test_a_finale_after_so_many_trials_goes_no_further(run: Run) -> None:
    result = run(**SMALL, budget={"device_time": "1h"})
    assert len(trained(result)) == 4


def test_more_epochs_hold_another_finale(run: Run, ended: Result) -> None:
    grown = run(**{**SMALL, "train": {"epochs": 2, "batch": 256}})
    assert set(trained(grown)) == set(trained(ended))
    assert {one.epochs for one in trained(grown).values()} == {2}
    spent(grown)
    for at, one in trained(grown).items():
        assert one.earlier_seconds == trained(ended)[at].seconds, "what the first one cost stays charged"


def test_a_study_begun_without_a_word_of_it_goes_on(run: Run, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**SMALL, "finale": None, "trials": 2, "budget": {"device_time": "1h"}}
    run(**{**changes, "finale": "none"})
    with open_to_write("tiny", tmp_path / "runs") as store:
        text = yaml.safe_load(store.study.user_attrs[TEXT_ATTR])
        assert text.pop("finale") == "none"
        store.study.set_user_attr(TEXT_ATTR, yaml.safe_dump(text, sort_keys=False))
    result = run(**changes)
    assert len(trained(result)) == 2 * 3


# --- several coordinators on one storage


def test_a_training_is_claimed_by_one(tmp_path: Path) -> None:
    store = replace(begin(tmp_path, **SMALL), shared=True)
    add(store, text=text_of(), epochs=1, planned_epochs=1)
    task = Task(store.records()[0], 1, None)
    host = os.uname().nodename
    assert claimed(store, task, 1) == task
    store.store_seed(0, 1, SeedResult("running", 1, seconds=3.0, owner=f"{host}:1", seen_at=time.time()))
    assert claimed(store, task, 1) is None, "process 1 lives and has it"
    left = SeedResult("running", 1, seconds=3.0, owner=f"{host}:999999999", seen_at=time.time())
    store.store_seed(0, 1, left)
    assert claimed(store, task, 1) == task._replace(known=left), (
        "a dead one's is taken over, with what it cost"
    )
    store.store_seed(0, 1, SeedResult("done", 1, accuracy=0.5, loss=1.0))
    assert claimed(store, task, 1) is None
    assert claimed(store, task, 2) is not None
