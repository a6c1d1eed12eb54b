"""Retention: the weights that `keep:` does not name are removed, and nothing that is still needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import search
from search.config.keep import Keep
from search.errors import StudyError
from search.objective import Objective
from search.run.progress import Silent
from search.run.retention import kept
from search.storage.record import Record
from search.storage.seed_results import SeedResult, SeedResults
from search.storage.trial_files import (
    RemovedWeights,
    read_report,
    read_training,
    remove_weights,
    write_training,
)
from search.study import Result, Study
from tests.search.conftest import Said, study_of, trials_in

ACCURACY, MACS = Objective("accuracy", "maximize"), Objective("macs", "minimize")
RULE = "keep: {front: all, top: 2, rest: none}"


def with_weights(runs: Path) -> set[int]:
    return {int(file.parent.name) for file in (runs / "tiny" / "trials").glob("*/weights.safetensors")}


def trained(number: int, accuracy: float, macs: float | None = None, **more: Any) -> Record:
    values = (accuracy,) if macs is None else (accuracy, macs)
    metrics = {"accuracy": accuracy, "loss": 1 - accuracy}
    return Record(number, "done", values, digest=str(number), metrics=metrics, **more)


def test_the_front_the_top_and_the_finale_are_kept() -> None:
    records = [trained(n, 0.5 + n / 100) for n in range(10)]
    assert kept(records, [ACCURACY], Keep(front=False, top=0)) == {9}  # best/ needs it
    assert kept(records, [ACCURACY], Keep(top=3)) == {7, 8, 9}
    assert kept(records, [ACCURACY], Keep(rest=True)) == set(range(10))
    retrained = SeedResults({1: SeedResult("done", 3, accuracy=0.5, loss=0.5)})
    records[2] = trained(2, 0.52, finale=retrained)
    records.append(Record(10, "pruned"))
    assert kept(records, [ACCURACY], Keep(top=1)) == {2, 9}


def test_the_whole_front_of_several_objectives_is_kept() -> None:
    records = [trained(n, 0.5 + n / 100, 100 + n * 10) for n in range(6)] + [trained(6, 0.5, 200.0)]
    assert kept(records, [ACCURACY, MACS], Keep(top=0)) == set(range(6))
    assert kept(records, [ACCURACY, MACS], Keep(front=False, top=2)) == {4, 5}


def test_removed_weights_are_no_damage_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"digest": "ab", "number": 3, "seed": 0}
    write_training(tmp_path, "genome: one\n", b"weights", report)
    (tmp_path / ".weights.safetensors.xyz").write_bytes(b"half")
    for stops_at in (
        "write",
        "unlink",
    ):  # a kill before the report is replaced, and one before the weights go
        with monkeypatch.context() as patch:

            def killed(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            if stops_at == "write":
                patch.setattr("trainer.files.write", killed)
            else:
                patch.setattr(Path, "unlink", killed)
            with pytest.raises(KeyboardInterrupt):
                remove_weights(tmp_path, RULE)
        if stops_at == "write":
            assert read_training(tmp_path, ("ab", 3)).weights == b"weights"
        else:
            with pytest.raises(RemovedWeights, match="front: all"):
                read_training(tmp_path, ("ab", 3))
    assert remove_weights(tmp_path, RULE) == len(b"weights") + len(b"half")
    assert remove_weights(tmp_path, RULE) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["genome.yaml", "report.json"]
    with pytest.raises(RemovedWeights):
        read_training(tmp_path, ("ab", 3))
    found = read_report(tmp_path, "ab", 3)
    assert found is not None and found["seed"] == 0


def test_a_training_with_a_damaged_report_keeps_its_weights(tmp_path: Path) -> None:
    write_training(tmp_path, "genome: one\n", b"weights", {"digest": "ab", "number": 3})
    (tmp_path / "report.json").write_text("{}")
    assert remove_weights(tmp_path, RULE) == 0
    assert (tmp_path / "weights.safetensors").read_bytes() == b"weights"


def test_a_study_keeps_the_weights_of_its_rule(
    run: Callable[..., Result], command: Callable[..., Said], tmp_path: Path
) -> None:
    said: list[str] = []

    class Heard(Silent):
        def said(self, line: str) -> None:
            said.append(line)

    result = run(Heard(), objectives="accuracy", keep={"top": 2}, workers=1)
    best = [
        r.number for r in sorted(result.records, key=lambda r: (-(r.values or (0,))[0], r.metrics["loss"]))
    ]
    assert with_weights(tmp_path / "runs") == set(best[:2])
    assert search.load_export(tmp_path / "runs" / "tiny" / "best")[1]["trial"] == best[0]
    assert any(line.startswith("removed the weights of 4 trials, ") and RULE in line for line in said)

    gone = best[-1]
    report = json.loads((tmp_path / f"runs/tiny/trials/{gone}/report.json").read_text())
    assert report["removed"] == RULE and report["valid_accuracy"] is not None
    for words in (("export", f"tiny#{gone}", "--to", "mine"), ("exits", f"tiny#{gone}")):
        refused = command(*words)
        assert refused.status == 2 and len(refused.err.splitlines()) == 1
        assert f"weights of trial {gone} of study tiny were removed by its rule `{RULE}`" in refused.err
        assert f"`genome train tiny#{gone} --data digits`" in refused.err
    assert command("export", f"tiny#{best[1]}", "--to", "mine").status == 0
    assert "the weights of 4 trials were removed, by `keep` of the study" in command("best", "tiny").out


def test_a_rule_that_comes_later_and_what_a_kill_left(run: Callable[..., Result], tmp_path: Path) -> None:
    run(objectives="accuracy", trials=3)
    trials = tmp_path / "runs" / "tiny" / "trials"
    left = [
        trials / "0" / name for name in ("checkpoint", ".checkpoint.ab", ".weights.safetensors.cd", "charged")
    ]
    for file in left:
        file.write_bytes(b"12345678")
    result = run(objectives="accuracy", trials=4, keep={"front": "none", "top": 0})
    assert not any(file.exists() for file in left)
    assert with_weights(tmp_path / "runs") == {result.best[0].number}
    assert len(trials_in(tmp_path / "runs")) == 4


def test_a_stricter_rule_says_what_it_removed_where_nothing_is_left_to_train(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    run(objectives="accuracy", trials=3)
    said: list[str] = []

    class Heard(Silent):
        def said(self, line: str) -> None:
            said.append(line)

    run(Heard(), objectives="accuracy", trials=3, keep={"front": "none", "top": 0})
    assert len(with_weights(tmp_path / "runs")) == 1
    assert any(line.startswith("removed the weights of 2 trials, ") for line in said), said


def test_weights_of_the_finale_take_the_place_of_removed_ones(
    run: Callable[..., Result], command: Callable[..., Said], tmp_path: Path
) -> None:
    result = run(
        objectives="accuracy",
        budget={"device_time": "60s"},
        finale={"top": 1, "seeds": 1, "share": 0.1},
        trials=2,
    )
    best = result.best[0].number
    folder = tmp_path / "runs" / "tiny" / "trials" / str(best)
    assert remove_weights(folder, RULE)
    said = command("export", f"tiny#{best}", "--to", "mine")
    assert said.status == 0 and "of its finale" in said.out, said.err
    said = command("export", f"tiny#{best}", "--to", "mine", "--weights", "search")
    assert said.status == 2 and "--weights finale" in said.err


def test_inherited_weights_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(study_of(inherit=True, sampler="evolve", keep={})))
    with pytest.raises(StudyError, match=r"keep removes weights, and inherit is true"):
        Study.load(path)
    path.write_text(yaml.safe_dump(study_of(inherit=True, sampler="evolve", keep={"rest": "all"})))
    assert Study.load(path).config.keep == Keep(rest=True)
