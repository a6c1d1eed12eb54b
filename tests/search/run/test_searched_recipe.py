"""Real studies that search their recipe: every sampler, kills, the finale, exports, other studies."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient

import genome
import search
from search.config.study import StudyConfig
from search.dashboard.app import create_app
from search.proposals import enqueue
from search.samplers import registry
from search.space.point import Point, digest_of, network_of
from search.storage.record import Record
from search.storage.study import open_to_write
from search.study import Result
from tests.command import PATIENCE_SECONDS, commands, members, until
from tests.search.conftest import ONE, Said
from tests.search.run.test_resume import KILLED, STOP, Told
from trainer import Recipe

Run = Callable[..., Result]
TRAIN = {"epochs": 1, "lr": {"float": [0.01, 0.3, "log"]}, "batch": {"int": [128, 256, 64]}}
SEARCHES = {"train": TRAIN, "trials": 3, "space": ONE}


def report_of(result: Result, number: int, *parts: str) -> dict[str, Any]:
    file = result.folder.joinpath("trials", str(number), *parts, "report.json")
    return dict(json.loads(file.read_text()))


def assert_trained_as_proposed(result: Result, record: Record, *parts: str) -> None:
    """The report of a training has the values that the trial stores, and the digest is of both."""
    report = report_of(result, record.number, *parts)
    assert set(record.searched) == {"lr", "batch"}
    assert {key: report["recipe"][key] for key in record.searched} == dict(record.searched)
    network = genome.digest(genome.loads(record.genome or ""))
    assert record.digest == digest_of(network, record.searched) == report["digest"]


@pytest.mark.parametrize("sampler", registry.names())
def test_every_sampler_searches_the_recipe(run: Run, sampler: str) -> None:
    result = run(**SEARCHES, sampler=sampler, objectives="accuracy")
    done = [record for record in result.records if record.outcome == "done"]
    assert len(done) == 3
    for record in done:
        assert_trained_as_proposed(result, record)
        assert 0.01 <= float(record.searched["lr"]) <= 0.3 and record.searched["batch"] in (128, 192, 256)
    assert len({record.searched["lr"] for record in done}) == 3


def test_children_have_other_recipes(run: Run) -> None:
    """Evolution of a space of two networks can only go on with their recipes."""
    result = run(**{**SEARCHES, "trials": 24}, sampler="evolve", objectives="accuracy")
    assert all(record.reused is None for record in result.records)
    assert len({network_of(record.digest or "") for record in result.records}) == 2
    moves = [move for record in result.records if record.origin for move in record.origin.moves]
    assert any("train" in move for move in moves)


def test_screening_keeps_the_recipe_of_the_candidate(run: Run) -> None:
    screen = {"proxies": ["params"], "keep": 0.5}
    result = run(**{**SEARCHES, "trials": 12}, sampler="random", screen=screen)
    for record in result.records:
        assert record.proxies is not None
        assert_trained_as_proposed(result, record)


class Same:
    """Proposes one network with the recipes of a list."""

    name = "same"

    def __init__(self, config: StudyConfig, recipes: list[dict[str, Any]]) -> None:
        self.written, self.recipes = config.space.sample(Random(0)), iter(recipes)

    def propose(self, history: Any, avoid: Any = ()) -> search.Proposal:
        return search.Proposal(self.written, search.Origin(self.name), next(self.recipes))


def proposed(written: Callable[..., Path], runs: Path, recipes: list[dict[str, Any]]) -> Result:
    config = search.read_study(written(**{**SEARCHES, "trials": len(recipes), "workers": 1}))
    return search.Study(config, runs, Same(config, recipes)).run()


def test_a_duplicate_has_the_network_and_the_recipe(written: Callable[..., Path], tmp_path: Path) -> None:
    recipes = [{"lr": 0.1, "batch": 128}, {"lr": 0.1, "batch": 192}, {"lr": 0.2, "batch": 128}]
    result = proposed(written, tmp_path / "runs", [*recipes, {"batch": 192, "lr": 0.1}])
    assert [record.reused for record in result.records] == [None, None, None, 1]
    assert len({record.digest for record in result.records}) == 3
    assert len({network_of(record.digest or "") for record in result.records}) == 1
    assert len({report_of(result, number)["seed"] for number in range(3)}) == 3


def test_a_recipe_outside_is_a_refused_trial(written: Callable[..., Path], tmp_path: Path) -> None:
    result = proposed(written, tmp_path / "runs", [{"lr": 1.0, "batch": 128}, {"lr": 0.1}, {"lr": "fast"}])
    assert [record.outcome for record in result.records] == ["refused"] * 3
    reasons = [record.reason or "" for record in result.records]
    assert "train.lr is 1.0; in this study it is 0.01..0.3" in reasons[0]
    assert "train.batch is missing" in reasons[1] and "train.lr is fast" in reasons[2]


def test_a_whole_number_may_be_written_for_a_real_one(written: Callable[..., Path], tmp_path: Path) -> None:
    result = proposed(written, tmp_path / "runs", [{"lr": 0.1, "batch": 128.0}, {"lr": 0.1, "batch": 128}])
    assert [record.reused for record in result.records] == [None, 0]


def test_the_memory_limit_is_of_the_batch_of_the_trial(run: Run) -> None:
    train = {"epochs": 1, "batch": {"one_of": [16, 1024]}}
    changes = {"train": train, "trials": 8, "sampler": "random", "budget": {"memory": "2MiB"}}
    result = run(**{**SEARCHES, **changes})
    outcomes = {record.searched["batch"]: record.outcome for record in result.records}
    assert outcomes[1024] == "refused"
    assert "budget.memory is" in next(r.reason or "" for r in result.records if r.searched["batch"] == 1024)
    assert all(r.outcome != "refused" for r in result.records if r.searched["batch"] == 16)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_keys_without_effect_are_not_part_of_the_recipe(run: Run, sampler: str) -> None:
    """gp is asked for all holes in every trial; what has no effect is not stored, and makes no other trial."""
    train = {"epochs": 1, "batch": 256, "optimizer": {"one_of": ["sgd", "adamw"]}}
    train["momentum"] = {"float": [0.5, 0.9]}
    result = run(**{**SEARCHES, "train": train, "trials": 8}, sampler=sampler, objectives="accuracy")
    optimizers = {record.searched["optimizer"] for record in result.records}
    assert optimizers == {"sgd", "adamw"}
    for record in result.records:
        assert ("momentum" in record.searched) == (record.searched["optimizer"] == "sgd")


def test_a_child_with_another_recipe_inherits_all_weights(run: Run) -> None:
    changes = {"trials": 20, "sampler": "evolve", "objectives": "accuracy", "inherit": True, "workers": 1}
    result = run(**{**SEARCHES, **changes})
    tuned = [r for r in result.records if r.origin and any(m.startswith("recipe ") for m in r.origin.moves)]
    shares = [r.inherited["share"] for r in tuned if r.inherited and r.origin and len(r.origin.moves) == 1]
    assert shares and set(shares) == {1.0}


def test_a_network_of_the_queue_has_the_recipe_of_its_parent(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    first = run(**SEARCHES, sampler="random", objectives="accuracy").records[0]
    config = search.read_study(written(**{**SEARCHES, "trials": 5}, sampler="random", objectives="accuracy"))
    given = genome.loads(first.genome or "")
    assert enqueue.fit(config, config.space, given) == enqueue.fit(config, config.space, given), "one draw"
    made = enqueue.fit(config, config.space, given, {"lr": first.searched["lr"], "batch": 192})
    with open_to_write("tiny", tmp_path / "runs") as store:
        number = enqueue.enqueue(store, config.space, made, "hand", (0,))
    record = search.Study(config, tmp_path / "runs").run().records[number]
    assert record.outcome == "done" or record.reused is not None
    assert dict(record.searched) == {"lr": first.searched["lr"], "batch": 192}


def test_the_finale_trains_with_the_recipe_of_the_trial(run: Run) -> None:
    result = run(**SEARCHES, sampler="random", objectives="accuracy", finale={"top": 2, "seeds": 2})
    retrained = [record for record in result.records if record.finale]
    assert len(retrained) == 2
    for record in retrained:
        for seed in ("1", "2"):
            assert_trained_as_proposed(result, record, "seeds", seed)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_trial_resumes_with_its_recipe(run: Run, sampler: str) -> None:
    changes = {**SEARCHES, "train": {**TRAIN, "epochs": 8}, "trials": 1, "workers": 1, "sampler": sampler}
    changes |= {"budget": {"rungs": [STOP]}, "objectives": "accuracy"}
    assert run(Told(stop_at=STOP), **changes).is_interrupted
    told = Told()
    result = run(told, **changes)
    old, new = result.records
    assert (old.outcome, new.outcome, new.retry_of) == ("interrupted", "done", 0)
    assert old.searched == new.searched and old.digest == new.digest
    assert told.epochs == {1: [*range(STOP + 1, 9)]}, "from the checkpoint"
    assert_trained_as_proposed(result, new)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["evolve", "nsga2"])
def test_a_killed_trial_resumes_with_its_recipe(
    run: Run, written: Callable[..., Path], tmp_path: Path, sampler: str
) -> None:
    changes = {**SEARCHES, "train": {**TRAIN, "epochs": 8}, "trials": 1, "workers": 1, "sampler": sampler}
    changes |= {"budget": {"rungs": [STOP]}, "objectives": "accuracy"}
    with commands(False) as start:
        command = start(written(**changes), tmp_path / "runs", STOP, code=KILLED)
        command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == -signal.SIGKILL
    until(lambda: not members(command.pid))
    told = Told()
    result = run(told, **changes)
    old, new = result.records
    assert old.searched == new.searched and new.retry_of == 0
    assert told.epochs == {1: [*range(STOP + 1, 9)]}
    assert_trained_as_proposed(result, new)


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_another_study_begins_with_the_recipes_found(run: Run, sampler: str) -> None:
    first = run(**SEARCHES, sampler="random", objectives="accuracy")
    best = first.best[0]
    start = {"study": "second", "sampler": sampler, "start": [f"tiny#{best.number}"], "trials": 1}
    train = {**TRAIN, "batch": {"int": [512, 1024]}}
    second = run(**{**SEARCHES, "train": train, "objectives": "accuracy", **start}).records[0]
    assert second.genome == (best.genome or "").replace("genome: tiny", "genome: second")
    assert second.searched["lr"] == best.searched["lr"], "a value that fits is kept"
    assert 512 <= int(second.searched["batch"]) <= 1024, "another is drawn"


def test_best_show_export_and_train_have_the_recipe(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    assert command("search", written(**SEARCHES, sampler="random", objectives="accuracy")).status == 0
    (best,) = json.loads(command("best", "tiny", "--json").out)["trials"]
    assert set(best["recipe"]) == {"lr", "batch"}
    told = f"lr={best['recipe']['lr']:.4g} batch={best['recipe']['batch']}"
    ref = f"tiny#{best['number']}"
    assert told in command("best", "tiny").out and f"recipe {told}" in command("show", ref).out
    assert json.loads(command("show", ref, "--json").out)["recipe"] == best["recipe"]
    exported = command("export", "tiny", "--to", "out")
    assert f"recipe {told}" in exported.out
    for report in (tmp_path / "out" / "report.json", tmp_path / "runs" / "tiny" / "best" / "report.json"):
        found = json.loads(report.read_text())
        assert found["recipe"] == best["recipe"] and found["digest"] == network_of(best["digest"])
        assert {key: found["training"]["recipe"][key] for key in best["recipe"]} == best["recipe"]
    assert command("train", ref, "--to", "long", "--epochs", 2, "--set", "batch=256").status == 0
    recipe = json.loads((tmp_path / "long" / "seed-0" / "report.json").read_text())["training"]["recipe"]
    assert (recipe["lr"], recipe["batch"], recipe["epochs"]) == (best["recipe"]["lr"], 256, 2)


def test_the_pages_show_the_recipe(run: Run, tmp_path: Path) -> None:
    result = run(**SEARCHES, sampler="random", objectives="accuracy")
    searched = result.records[1].searched
    told = f"lr {searched['lr']:.4g}, batch {searched['batch']}"
    with TestClient(create_app(tmp_path / "runs"), base_url="http://127.0.0.1") as client:
        for page in ("study/tiny", "study/tiny/trial/1", "study/tiny/compare?trial=1&trial=2"):
            assert told in client.get(f"/{page}").text, page
        assert client.get("/study/tiny/trial/1.json").json()["recipe"] == dict(searched)
        assert "train.lr" in client.get("/study/tiny/genes").text
        best = result.best[0].number
        assert client.get(f"/study/tiny/trial/{best}/export/report.json").status_code == 200


def test_a_study_that_searches_no_recipe_says_nothing_of_one(
    command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    assert command("search", written(trials=2)).status == 0
    records = json.loads(command("best", "tiny", "--all", "--json").out)["trials"]
    assert all("recipe" not in one and "-" not in one["digest"] for one in records)
    assert "recipe" not in command("best", "tiny").out + command("show", "tiny#0").out
    assert Recipe(epochs=1, batch=256).to_dict() == search.read_study(written()).plain()["train"]


def test_a_small_space_is_used_up_with_its_recipes(run: Run) -> None:
    train = {"epochs": 1, "batch": {"one_of": [128, 256]}}
    result = run(**{**SEARCHES, "train": train, "trials": 50}, sampler="evolve")
    assert result.stop == "the space holds 4 trainings, and each has a trial; widen the space to search on"
    assert len([record for record in result.records if record.reused is None]) == 4


def test_points_of_a_study_are_public() -> None:
    assert search.Point is Point
