"""A study of classes of unequal size: its objective counts the classes alike, from the search to the finale."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.storage.study import open_to_read
from tests.search.conftest import Said


def test_balanced_accuracy_is_the_objective_to_the_end(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    stream = np.random.default_rng(0)
    labels = (np.arange(200) >= 180).astype(int)
    images = stream.integers(90, size=(200, 8, 8)).astype(np.uint8)
    images[180:, 2:5, 2:5] += 160
    np.savez(tmp_path / "rare.npz", images=images, labels=labels)
    study = written(
        data={"path": "rare.npz"},
        objectives={"balanced_accuracy": "maximize", "auc": "maximize"},
        train={"epochs": 1, "batch": 64, "balance": {"one_of": ["weights", "sampling"]}},
        trials=2,
        workers=1,
        finale={"top": 1, "seeds": 1},
        budget={"device_time": "40s", "rungs": [1]},
    )
    ran = command("search", study, "--plain")
    assert ran.status == 0, ran.err
    assert "doubtful: 91.7% of the validation images are 0" in ran.out
    records = open_to_read("tiny", tmp_path / "runs").records()
    for one in records:
        assert 0.5 <= one.metrics["balanced_accuracy"] <= 1 and "macro_f1" in one.metrics
        assert 0 <= one.metrics["auc"] <= 1 and one.searched["balance"] in ("weights", "sampling")
        epochs = one.curve or {}
        assert all(0 <= value <= 1 for value in epochs.values())
    [best] = [one for one in records if one.finale]
    retrained = best.finale
    assert retrained is not None
    assert all(seed.balanced_accuracy is not None for seed in retrained.measured.values())
    assert all(seed.auc is not None for seed in retrained.measured.values())
    kept = [
        json.loads(file.read_text())["recipe"]["balance"]
        for file in (tmp_path / "runs" / "tiny" / "trials" / str(best.number)).rglob("report.json")
    ]
    assert len(kept) == 2 and set(kept) == {best.searched["balance"]}  # of the search and of the finale
    exported = json.loads((tmp_path / "runs" / "tiny" / "best" / "report.json").read_text())
    assert exported["training"]["recipe"]["balance"] == best.searched["balance"]
    shown = command("best", "tiny").out.splitlines()
    assert shown[0].split()[:2] == ["trial", "balanced_accuracy"] and "macro_f1" not in shown[0]
