"""`genome predict`: the classes of pictures, as the network was trained on such, and as model.py says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from search.results.predict import BATCH, Prediction
from tests.search.conftest import Said
from tests.search.test_model_file import STUDY, pictures, run

assert pictures  # a fixture


@pytest.fixture
def export(pictures: Path, command: Callable[..., Said], tmp_path: Path) -> Path:
    Path("pictures.yaml").write_text(yaml.safe_dump({**STUDY, "data": {"path": str(pictures), "size": 16}}))
    assert command("search", "pictures.yaml").status == 0
    return tmp_path / "runs" / "pictures" / "best"


def test_it_says_what_model_py_says(export: Path, pictures: Path, command: Callable[..., Said]) -> None:
    own = sorted((pictures / "red").iterdir())[:3]
    said = command("predict", export, *own)
    assert (said.status, said.err) == (0, "")
    without = [line.replace(" (", " ").replace(")", "") for line in run(export, *own).stdout.splitlines()]
    assert said.out.splitlines() == without


def test_folders_and_json(export: Path, pictures: Path, command: Callable[..., Said], tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(BATCH + 3):
        Image.open(pictures / "red" / "1.png").save(many / f"{number:03d}.png")
    found = json.loads(command("predict", export, many, "--json").out)
    assert [Path(one["picture"]).name for one in found] == [
        f"{number:03d}.png" for number in range(BATCH + 3)
    ]
    assert len({one["class"] for one in found}) == 1
    assert all(len(one["top"]) == 2 and one["probability"] == one["top"][0][1] for one in found)
    assert sum(score for _, score in found[0]["top"]) == pytest.approx(1.0, abs=1e-5)
    said = command("predict", export, many / "000.png", "--top", "2")
    assert said.out.count("%") == 2 and said.out.count("\n") == 1


def test_pictures_of_other_colours_are_read_as_the_network_sees_them(
    export: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    grey = np.full((16, 16), 90, dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "colour.png")
    lines = command("predict", export, "grey.png", "colour.png").out.splitlines()
    assert lines[0].split(": ")[1] == lines[1].split(": ")[1]


def test_pictures_of_another_kind_than_those_of_the_training_are_named(
    export: Path, command: Callable[..., Said]
) -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    clear[4:9, 4:9, 3] = 255
    Image.fromarray(clear).save("clear.png")
    Image.fromarray(np.full((16, 16), 3_000, dtype=np.uint16)).save("deep.png")
    said = command("predict", export, "clear.png", "deep.png")
    assert said.status == 2 and said.err.splitlines() == [
        "clear.png has transparent pixels, other than the images of the training; save it as these were",
        "deep.png is uint16 with values 3000..3000, other than the images of the training; save it as these were",
    ]
    assert "it has transparent pixels; save it on a ground" in run(export, "clear.png").stderr


def test_what_cannot_be_read_is_named_and_the_others_are_told(
    export: Path, pictures: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"noise")
    said = command("predict", export, "broken.png", pictures / "red" / "1.png")
    assert said.status == 2 and said.out.count("\n") == 1 and "1.png" in said.out
    assert said.err.count("\n") == 1 and "broken.png cannot be read as an image" in said.err
    found = json.loads(command("predict", export, "broken.png", pictures / "red" / "1.png", "--json").out)
    assert [sorted(one) for one in found] == [
        ["error", "picture"],
        ["class", "picture", "probability", "top"],
    ]
    (tmp_path / "empty").mkdir()
    for words, sentence in (
        ((export, "nowhere.png"), "nowhere.png does not exist"),
        ((export, "empty"), "empty has no picture"),
        (("empty", "broken.png"), "empty has no report.json"),
    ):
        said = command("predict", *words)
        assert (said.status, said.out) == (2, "") and sentence in said.err and said.err.count("\n") == 1


def test_a_network_of_other_channels_takes_no_pictures(
    command: Callable[..., Said], pictures: Path, tmp_path: Path
) -> None:
    x, y = np.zeros((60, 8, 8, 2), dtype=np.uint8), np.arange(60) % 3
    x[np.arange(60), 0, 0, 0] = y * 60
    np.savez(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    Path("pictures.yaml").write_text(yaml.safe_dump({**STUDY, "data": {"path": str(tmp_path / "a.npz")}}))
    assert command("search", "pictures.yaml").status == 0
    said = command("predict", "runs/pictures/best", pictures / "red" / "1.png")
    assert said.status == 2 and "takes images of 2 channels; pictures have 1 or 3" in said.err


def test_a_report_that_does_not_fit_its_genome_is_refused(export: Path, command: Callable[..., Said]) -> None:
    whole = json.loads((export / "report.json").read_text())
    picture = export.parents[2] / "pictures" / "red" / "1.png"
    for key, values in {
        "mean": (None, "x", 5, [0, 0], [0, 0, 0], [float("nan")] * 3),
        "std": (None, [0.0] * 3, [-1.0, 1.0, 1.0], [0.2]),
        "classes": (None, 5, "ab", ["a", "a"], ["a"], [["x"], "b"], {"a": 1}),
        "input": (None, [3, 16], [1, 16, 16], ["3", "16", "16"], [3, 10**9, 10**9], [3, 16.5, 16]),
        "export": (1.0, True, 2, "1"),
    }.items():
        for value in (*values, ...):
            changed = {name: one for name, one in whole.items() if name != key or value is not ...}
            if value is not ...:
                changed[key] = value
            (export / "report.json").write_text(json.dumps(changed))
            for words in (("predict", export, picture), ("bench", export, "--batch", 1)):
                said = command(*words)
                assert said.status == 2 and "report.json" in said.err, (key, value)
                assert said.err.count("\n") == 1 and said.out == ""
    (export / "report.json").write_text("[" * 100_000)
    assert "report.json cannot be read" in command("predict", export, picture).err


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert Prediction("a\n.png", (("b\x1b[1m", 0.5),)).text() == "a\\n.png: b\\x1b[1m 50.0%"
