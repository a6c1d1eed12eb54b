"""A folder in which the pages' examples run as in a clone, with tiny budgets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import search

ROOT = Path(__file__).parents[2]
TINY = {
    "budget": {},
    "trials": 1,
    "workers": 1,
    "device": "cpu",
    "finale": "none",
    "sampler": {"name": "random", "seed": 0},
    "pruner": "none",
    "train": {"epochs": 1, "batch": 256},
    "space": {
        "nodes": {
            "stem": {"op": "conv", "in": ["image"], "width": {"int": [4, 16]}},
            "body": {"op": {"one_of": ["conv", "separable"]}, "in": ["stem"], "width": {"int": [4, 16]}},
            "out": {"op": "exit", "in": ["body"]},
        }
    },
}


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages and studies of this project, a tiny study in place of digits, and some images."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "studies", folder / "studies")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.png"))
    study = folder / "studies" / "digits.yaml"
    study.write_text(yaml.safe_dump({**yaml.safe_load(study.read_text()), **TINY}, sort_keys=False))
    for number in range(10):
        image = np.full((32, 32), number * 20, dtype=np.uint8)
        place = folder / "path" / "to" / "images" / f"class-{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    marks = np.arange(40)[:, None] % (2, 3) == 0
    np.savez(folder / "path" / "to" / "chest.npz", images=np.zeros((40, 32, 32), np.uint8), labels=marks)
    return folder


@pytest.fixture(scope="session")
def finished(clone: Path) -> Path:
    """The folder of studies, in which the tiny one has been run."""
    runs = clone.with_name("runs")
    search.Study.load(clone / "studies" / "digits.yaml", runs=runs).run()
    return runs


@pytest.fixture
def here(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the clone as the current directory."""
    folder = tmp_path / "clone"
    shutil.copytree(clone, folder)
    monkeypatch.chdir(folder)
    return folder
