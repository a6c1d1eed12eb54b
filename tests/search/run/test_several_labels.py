"""A study of images with several labels, from the first line of the search to the pictures that it names."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

import search
import trainer
from tests.search.conftest import Said, study_of

NAMES = ("left", "right", "top")
EXITS = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"int": [4, 8]}},
        "early": {"op": "exit", "in": ["stem"]},
        "deep": {"op": "conv", "in": ["stem"], "kernel": 3, "width": 8},
        "out": {"op": "exit", "in": ["deep"]},
    }
}


def patches(count: int = 240) -> tuple[Any, Any]:
    """Return grey images (N, 8, 8) with a bright patch for each of their labels (N, 3)."""
    stream = np.random.default_rng(0)
    labels = (stream.random((count, 3)) < (0.5, 0.3, 0.4)).astype(np.uint8)
    images = stream.integers(60, size=(count, 8, 8)).astype(np.uint8)
    for label, (top, left) in enumerate(((4, 0), (4, 5), (0, 2))):
        images[:, top : top + 3, left : left + 3] += labels[:, label, None, None] * np.uint8(150)
    return images, labels


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study; the tests only read it."""
    folder = tmp_path_factory.mktemp("several")
    images, labels = patches()
    np.savez(folder / "patches.npz", images=images, labels=labels, classes=np.array(NAMES))
    study = study_of(
        data={"path": str(folder / "patches.npz"), "multilabel": True},
        objectives=None,
        trials=2,
        workers=1,
        train={"epochs": 8, "batch": 32, "mixup": 0.1, "distil": 0.3, "balance": "weights"},
        finale={"top": 1, "seeds": 1},
        budget={"device_time": "2m", "rungs": [1]},
        space=EXITS,
    )
    (folder / "study.yaml").write_text(json.dumps(study))
    search.Study.load(folder / "study.yaml", folder / "runs").run()
    return folder


def test_the_objective_is_the_mean_auc(finished: Path) -> None:
    config = search.Study.load(finished / "study.yaml").config
    assert [tuple(one) for one in config.objectives] == [("auc", "maximize")]
    report = json.loads((finished / "runs" / "tiny" / "best" / "report.json").read_text())
    module, _ = search.load_export(finished / "runs" / "tiny" / "best")
    data = trainer.load(finished / "patches.npz", multilabel=True)
    mean, std = (torch.tensor(report[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        logits = [one.numpy() for one in module((data.test.x / 255 - mean) / std)]
    wanted, said = data.test.y.numpy(), logits[-1] > 0
    assert report["multilabel"] is True and report["classes"] == list(NAMES)
    assert (
        report["auc"]["test"] == pytest.approx(roc_auc_score(wanted, logits[-1]))
        and report["auc"]["test"] > 0.9
    )
    assert report["accuracy"]["test"] == pytest.approx((wanted == said).all(1).mean())
    assert report["exits"]["test"] == pytest.approx([((one > 0) == wanted).all(1).mean() for one in logits])
    of_test = report["per_class"]["test"]
    assert of_test["images"] == wanted.sum(0).tolist() and report["confusion"]["test"] is None
    assert of_test["recall"] == pytest.approx([said[wanted[:, k] == 1, k].mean() for k in range(3)])
    assert of_test["precision"] == pytest.approx([wanted[said[:, k], k].mean() for k in range(3)])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits[-1]), data.test.y.float()
    )
    assert report["loss"]["test"] == pytest.approx(loss.item(), rel=1e-5)


def test_the_card_says_what_accuracy_means(finished: Path) -> None:
    card = (finished / "runs" / "tiny" / "best" / "README.md").read_text()
    assert "| all labels of an image right |" in card and "## By label" in card and "Confusion" not in card
    assert "says of images of 8x8 pixels and 1 channel which of 3 labels they have" in card
    assert "test recall | test precision | test AUC" in card and "sigmoid" in card
    assert "before it is normalised: labels " in card and "of class" not in card


def test_pictures_get_the_probability_of_each_label(
    finished: Path,
    command: Callable[..., Said],
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = finished / "runs" / "tiny" / "best"
    images, _ = patches()
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    [told] = json.loads(command("predict", best, tmp_path / "a.png", "--json").out)
    info = json.loads((best / "report.json").read_text())
    module, _ = search.load_export(best)
    x = (torch.from_numpy(images[:1, None]) / 255 - info["mean"][0]) / info["std"][0]
    with torch.no_grad():
        wanted = dict(zip(NAMES, module(x)[-1].sigmoid()[0].tolist(), strict=True))
    assert dict(told["top"]) == pytest.approx(wanted)
    assert set(told["labels"]) == {name for name, p in wanted.items() if p > 0.5}
    spec = importlib.util.spec_from_file_location("exported", best / "model.py")
    assert spec is not None and spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    monkeypatch.setattr(sys, "argv", ["model.py", str(tmp_path / "a.png")])
    assert model.main() == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"{tmp_path / 'a.png'}: ")
    assert {name for name in NAMES if f"{name} (" in line} == set(told["labels"])


def test_what_is_of_one_class_is_refused(finished: Path, command: Callable[..., Said]) -> None:
    given = ("--data", finished / "patches.npz", "--read", "multilabel=true")
    said = command("exits", finished / "runs" / "tiny" / "best", *given)
    assert said.status == 2 and "the rules of leaving early are of one class an image" in said.err
    study = json.loads((finished / "study.yaml").read_text())
    study |= {"study": "other", "train": {"epochs": 1, "balance": {"one_of": ["none", "sampling"]}}}
    (finished / "other.yaml").write_text(json.dumps(study))
    for verb in ("check", "search"):
        said = command(verb, finished / "other.yaml")
        assert said.status == 2 and "other.yaml:" in said.err
        assert "train.balance has sampling, and images have several labels (multilabel)" in said.err


def test_objectives_of_leaving_early_are_refused(finished: Path, command: Callable[..., Said]) -> None:
    study = json.loads((finished / "study.yaml").read_text())
    study |= {"study": "early", "objectives": ["auc", "expected_macs"]}
    (finished / "early.yaml").write_text(json.dumps(study))
    said = command("check", finished / "early.yaml")
    assert said.status == 2
    assert "the rules of leaving early are of one class an image, so take it out" in said.err + said.out


def test_init_and_train_take_the_auc(finished: Path, command: Callable[..., Said], tmp_path: Path) -> None:
    said = command("data", finished / "patches.npz", "--read", "multilabel=true")
    assert "labels an image" in said.out and "3 labels: left " in said.out
    genome = finished / "runs" / "tiny" / "best" / "genome.yaml"
    given = ("--data", finished / "patches.npz", "--read", "multilabel=true", "--epochs", "2")
    ran = command("train", genome, *given, "--to", tmp_path / "trained")
    assert ran.status == 0, ran.err
    report = json.loads((tmp_path / "trained" / "seed-0" / "report.json").read_text())
    curve = report["training"]["curve"]
    assert report["training"]["valid_auc"] == max(row["valid_auc"] for row in curve)
