"""`--hub` and the examples: a found network in what other people's tools read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import yaml
from PIL import Image

import trainer
from search.results.card.hub import architecture
from tests.command import ROOT
from tests.search.conftest import Said
from tests.search.test_model_file import RUNNER

EXAMPLES = ROOT / "examples"


@pytest.fixture
def mine(finished: Path, command: Callable[..., Said], tmp_path: Path) -> Path:
    assert command("export", "tiny", "--to", "mine", "--runs", finished, "--hub").status == 0
    return tmp_path / "mine"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty scans of digits, in a folder for each class."""
    data = trainer.load("digits")
    for i in range(20):
        folder = tmp_path / "pictures" / str(int(data.train.y[i]))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.train.x[i, 0].numpy()).save(folder / f"{i}.png")
    for name in map(str, range(10)):
        (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
    return tmp_path / "pictures"


def example(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run an example where this package cannot be imported."""
    words = ("-W", "ignore", "-c", RUNNER, EXAMPLES / name, *words)
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)


def test_the_folder_is_what_hubs_read(mine: Path) -> None:
    config = json.loads((mine / "config.json").read_text())
    report = json.loads((mine / "report.json").read_text())
    assert config["architecture"] == f"tiny_trial_{report['trial']}" and config["num_classes"] == 10
    cfg = config["pretrained_cfg"]
    assert (cfg["input_size"], cfg["mean"], cfg["std"]) == (report["input"], report["mean"], report["std"])
    assert {"config.json", "model.safetensors", "README.md"} <= set(report["files"])
    _, head, text = (mine / "README.md").read_text().split("---\n", 2)
    told = yaml.safe_load(head)
    assert "license" not in told and told["pipeline_tag"] == "image-classification"
    (index,) = told["model-index"]
    metrics = {one["dataset"]["split"]: one["metrics"][0] for one in index["results"]}
    assert metrics["test"] == {"type": "accuracy", "value": report["accuracy"]["test"], "name": "accuracy"}
    assert metrics["validation"]["value"] == report["accuracy"]["valid"]
    assert text.startswith("\n# tiny, trial ")


def test_without_the_flag_a_card_has_no_yaml(finished: Path) -> None:
    assert (finished / "tiny" / "best" / "README.md").read_text().startswith("# tiny")


@pytest.mark.parametrize(("name", "word"), [("a b, c", "a_b_c"), ("3x", "network_3x"), ("é!", "network")])
def test_a_name_becomes_a_word(name: str, word: str) -> None:
    assert architecture(name) == word


def test_a_model_of_timm(mine: Path, pictures: Path, called: Callable[..., Said]) -> None:
    pytest.importorskip("timm")
    files = sorted(pictures.rglob("*.png"))
    done = example("timm_model.py", mine, *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout == called(mine, *files).out, "timm reads pictures as model.py does"


def test_a_model_of_timm_gets_a_new_classifier(mine: Path) -> None:
    pytest.importorskip("timm")
    code = f"""
import sys
sys.path.insert(0, {str(EXAMPLES)!r})
from pathlib import Path
import timm, timm_model, torch
name = timm_model.register(Path({str(mine)!r}))
x = torch.rand(2, 1, 8, 8)
a, b = (timm.create_model(name, pretrained=True, num_classes=n).eval() for n in (10, 3))
other = [k for k, v in a.state_dict().items() if not torch.equal(v, b.state_dict()[k])]
print(*a(x).shape, *b(x).shape, *other)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["2", "10", "2", "3", "out.weight", "out.bias"], done.stderr


def test_in_a_lightning_module(
    mine: Path, pictures: Path, called: Callable[..., Said], tmp_path: Path
) -> None:
    pytest.importorskip("lightning")
    done = example("lightning_module.py", mine, pictures, tmp_path / "tuned.safetensors")
    assert done.returncode == 0, done.stderr
    before, after = (
        safetensors.torch.load(path.read_bytes())
        for path in (mine / "model.safetensors", tmp_path / "tuned.safetensors")
    )
    assert set(before) == set(after)
    assert any(not np.array_equal(before[name], after[name]) for name in before), "it was trained"
    accuracy = float(done.stdout.split("accuracy in the last epoch ")[1].split(";")[0])
    assert 0 <= accuracy <= 1
    (mine / "model.safetensors").write_bytes((tmp_path / "tuned.safetensors").read_bytes())
    assert called(mine, mine / "example.png").status == 0
