"""A study with artifacts: its weights, checkpoints and best network on a machine that trained none of it."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import search
from search.errors import StudyError
from search.run.progress import Silent
from search.run.publish import publish_missing
from search.storage.study import open_to_read
from search.study import Result, Study
from tests.search.conftest import Said, study_of, trials_in
from trainer import files


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "nfs"
    folder.mkdir()
    return folder


def moved(tmp_path: Path) -> Path:
    """Return the folder of runs of another machine, which has the database alone."""
    runs = tmp_path / "other"
    (runs / "tiny").mkdir(parents=True)
    shutil.copy(tmp_path / "runs" / "tiny" / "study.db", runs / "tiny")
    return runs


def test_the_best_network_is_had_on_another_machine(
    run: Callable[..., Result], command: Callable[..., Said], tmp_path: Path, shared: Path
) -> None:
    ended = run(objectives="accuracy", trials=3, workers=1, artifacts=f"file://{shared}", keep={"top": 2})
    (folder,) = shared.iterdir()
    assert folder.name.startswith("tiny-")
    weights = {file.name for file in folder.glob("trials/*/*")}
    named = [r for r in trials_in(tmp_path / "runs") if r.values]
    assert len(named) == 3 and not [name for name in weights if "checkpoint" in name or name.startswith(".")]
    runs = moved(tmp_path)
    said = command("export", "tiny", "--to", "mine", "--runs", runs)
    assert said.status == 0, said.err
    assert (
        Path("mine/weights.safetensors").read_bytes()
        == (ended.folder / "best/weights.safetensors").read_bytes()
    )
    assert search.load_export("mine")[1]["trial"] == ended.best[0].number
    last = next(
        r.number for r in named if not (ended.folder / f"trials/{r.number}/weights.safetensors").exists()
    )
    said = command("export", f"tiny#{last}", "--to", "last", "--runs", runs)
    assert said.status == 2 and "were removed by its rule" in said.err
    stored = (
        folder
        / f"trials/{ended.best[0].number}"
        / files.sha256(Path("mine/weights.safetensors").read_bytes())
    )
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    said = command("export", "tiny", "--to", "changed", "--runs", runs)
    assert said.status == 2 and "weights.safetensors was changed since it was written (sha256)" in said.err


def test_trials_name_their_files(run: Callable[..., Result], shared: Path) -> None:
    ended = run(trials=1, artifacts=f"file://{shared}")
    store = open_to_read("tiny", ended.folder.parent)
    (trial,) = store.study.get_trials(deepcopy=False)
    (folder,) = shared.iterdir()
    assert set(trial.user_attrs["result"]["files"]) == {"genome.yaml", "weights.safetensors"}
    for name, known in trial.user_attrs["result"]["files"].items():
        stored = (folder / "trials" / "0" / known).read_bytes()
        assert stored == (ended.folder / "trials" / "0" / name).read_bytes()


def test_a_study_that_gets_artifacts_later_brings_what_it_has(
    run: Callable[..., Result], tmp_path: Path, shared: Path
) -> None:
    run(trials=2)
    ended = run(trials=3, artifacts=f"file://{shared}")
    (folder,) = shared.iterdir()
    assert len(list(folder.glob("trials/*/report.json"))) == 3
    store = open_to_read("tiny", tmp_path / "runs")
    shutil.rmtree(folder / "trials" / "0")
    publish_missing(store)  # it is known to be there: nothing is looked up
    assert not (folder / "trials" / "0").exists()
    (ended.folder / "trials" / "0" / "published").unlink()
    publish_missing(store)
    assert (folder / "trials" / "0" / "report.json").exists()


def test_a_new_study_of_the_same_name_has_a_folder_of_its_own(
    run: Callable[..., Result], tmp_path: Path, shared: Path
) -> None:
    run(trials=1, artifacts=f"file://{shared}")
    shutil.rmtree(tmp_path / "runs" / "tiny")
    run(trials=1, artifacts=f"file://{shared}")
    assert len(list(shared.iterdir())) == 2


def test_an_interrupted_trial_goes_on_where_the_checkpoint_is_not(tmp_path: Path, shared: Path) -> None:
    """The trial is interrupted on one machine, and goes on on another, which gets the database alone."""

    def study(**changes: Any) -> Study:
        path = tmp_path / "tiny.yaml"
        more = {"objectives": "accuracy", "trials": 1, "workers": 1, "train": {"epochs": 40, "batch": 64}}
        path.write_text(yaml.safe_dump(study_of(artifacts=f"file://{shared}", **{**more, **changes})))
        return Study.load(path, tmp_path / "runs")

    class StopsAt(Silent):
        epochs = 0

        def epoch(self, number: int, row: Any, epochs: int) -> None:
            self.epochs = row["epoch"]
            if row["epoch"] == 3:
                os.kill(os.getpid(), signal.SIGINT)

    assert study().run(StopsAt()).is_interrupted
    (folder,) = shared.iterdir()
    assert list(folder.glob("trials/0/*.checkpoint")) and (folder / "trials/0/checkpoint.json").exists()
    shutil.rmtree(tmp_path / "runs" / "tiny" / "trials")
    heard: list[int] = []

    class Hears(Silent):
        def epoch(self, number: int, row: Any, epochs: int) -> None:
            heard.append(row["epoch"])

    assert not study().run(Hears()).is_interrupted
    assert heard[0] > 3 and heard[-1] == 40
    assert not list(folder.glob("trials/*/*checkpoint*"))


def test_a_folder_that_is_missing_is_a_sentence(run: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is no folder; make it, or mount it"):
        run(artifacts=f"file://{tmp_path}/none")
