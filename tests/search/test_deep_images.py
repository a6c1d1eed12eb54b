"""A study of pictures of 16 bits, padded to one size: they are decoded once, and its export reads such pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from search import load_export
from search.results.trained import trained
from tests.search.conftest import Said
from tests.search.test_model_file import STUDY
from trainer import load
from trainer.data.tree import CACHE

SAID = {"size": 16, "bits": 12, "fit": "pad"}


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    root, stream = tmp_path / "plants", np.random.default_rng(0)
    for place, name in enumerate(("dry", "wet")):
        (root / name).mkdir(parents=True)
        for number in range(12):
            pixels = stream.integers(600, size=(20, 28)) + 2_000 * place
            Image.fromarray(pixels.astype(np.uint16)).save(root / name / f"{number}.png")
    return root


def test_a_study_of_deep_pictures(plants: Path, command: Callable[..., Said], tmp_path: Path) -> None:
    study = {**STUDY, "data": {"path": str(plants), **SAID}}
    Path("pictures.yaml").write_text(yaml.safe_dump(study))
    said = command("search", "pictures.yaml")
    assert said.status == 0
    (entry,) = (tmp_path / "runs" / CACHE).glob("*/facts.json")
    best = tmp_path / "runs" / "pictures" / "best"
    info = json.loads((best / "report.json").read_text())
    assert (info["depth"], info["reading"]) == (16, {"fit": "pad", "bits": 12})
    assert "Pixels are divided by 65535" in (best / "README.md").read_text()
    assert "def pixels" not in (best / "model.py").read_text(), "its reader knows pictures of 8 bits alone"
    assert not (best / "example.png").exists()

    module, _ = load_export(best)
    data = load(plants, **SAID)
    assert (info["data_digest"], trained(str(best), tmp_path / "runs", None).facts.white) == (
        data.digest(),
        65_535,
    )
    mean, std = (torch.tensor(info[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    own = json.loads(command("predict", best, plants / "wet" / "3.png", "--json").out)[0]
    padded = np.zeros((16, 16))
    small = Image.fromarray(
        np.rint(np.asarray(Image.open(plants / "wet" / "3.png")) * (65_535 / 4_095)).astype(np.float32)
    ).resize((16, 11), Image.Resampling.BILINEAR)
    padded[2:13] = np.rint(np.asarray(small))
    with torch.no_grad():
        x = torch.from_numpy(padded / 65_535).float()[None, None]
        wanted = module((x - mean) / std)[-1].softmax(1)[0]
    found = dict(own["top"])
    assert [found[name] for name in info["classes"]] == pytest.approx(wanted.tolist(), abs=1e-5)

    refused = command("export", "pictures", "--to", "files", "--formats", "onnx")
    assert refused.status == 2
    assert "files for other runtimes take pixels of 8 bits" in refused.err and "depth: 8" in refused.err
    assert not Path("files").exists()

    entry.unlink()
    again = command("search", "pictures.yaml")
    assert again.status == 0, "images that are gone from the cache are decoded again"
