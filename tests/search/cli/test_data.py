"""`genome data`, and images of one's own on their way through a study: what is said of them holds to the end."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.config.read import read_study
from tests.search.conftest import Said
from tests.trainer.data.made import pixels, put


@pytest.fixture
def stickers(tmp_path: Path) -> Path:
    """Return a folder of black drawings on transparent ground, in two classes."""
    for place, name in enumerate(("bar", "box")):
        (tmp_path / "stickers" / name).mkdir(parents=True)
        for number in range(12):
            rgba = np.zeros((8, 8, 4), np.uint8)
            rgba[number % 4 : number % 4 + 2 + 2 * place, 1 + number % 3 : 6, 3] = 255
            Image.fromarray(rgba).save(tmp_path / "stickers" / name / f"{number}.png")
    return tmp_path / "stickers"


def test_what_is_understood_and_the_sheet(
    command: Callable[..., Said], tmp_path: Path, stickers: Path
) -> None:
    said = command("data", stickers)
    assert said.status == 2 and "say alpha: white or alpha: black" in said.err and not said.out
    said = command("data", stickers, "--read", "alpha=white", "--sheet", tmp_path / "s.png", "--size", "auto")
    assert said.status == 0 and "stickers: class folders; 24 images of 8x8, colour" in said.out
    with Image.open(tmp_path / "s.png") as page:
        assert page.size[0] > 400
    found = json.loads(command("data", stickers, "--read", "alpha=white", "--json").out)
    assert found["classes"]["box"]["train"] == 8 and found["input"] == [3, 8, 8]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--read", "alpha"], "--read alpha: write KEY=VALUE"),
        (["--read", "alfa=white"], "alfa is no key of data; it may be alpha"),
        (["--size", "0x9"], "size is [0, 9]; it must be 1..4096 pixels"),
        (
            ["--size", "24,32"],
            "size is '24,32'; it must be 1..4096 pixels of a side, as 32, a height and a width",
        ),
        (["--sheet", "a.jpg"], "--sheet is a.jpg; it ends in .png"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: list[str], sentence: str, command: Callable[..., Said], stickers: Path
) -> None:
    said = command("data", stickers, *options)
    assert said.status == 2 and sentence in said.err and said.err.count("\n") == 1


def test_an_answer_holds_from_init_to_predict(
    command: Callable[..., Said], written: Callable[..., Path], stickers: Path, tmp_path: Path
) -> None:
    study = written(data={"path": "stickers", "alpha": "white"}, trials=1, workers=1)
    ran = command("search", study, "--plain")
    assert ran.status == 0, ran.err
    assert (
        "stickers: class folders; 24 images of 8x8" in ran.out
        and "always answering bar is right for 50.0%" in ran.out
    )
    assert "as you said: alpha: white" in ran.out
    report = json.loads((tmp_path / "runs" / "tiny" / "best" / "report.json").read_text())
    assert report["reading"] == {"alpha": "white"}
    drawing, flat = stickers / "bar" / "0.png", tmp_path / "flat.png"
    on_white = Image.alpha_composite(Image.new("RGBA", (8, 8), "white"), Image.open(drawing).convert("RGBA"))
    on_white.convert("RGB").save(flat)
    best = tmp_path / "runs" / "tiny" / "best"
    one, other = (json.loads(command("predict", best, file, "--json").out)[0] for file in (drawing, flat))
    assert one["top"] == other["top"]
    assert "Image.open" not in (best / "model.py").read_text(), "it would drop the ground"
    changed = json.loads(json.dumps({"path": "stickers", "alpha": "black"}))
    said = command("search", written(data=changed, trials=1, workers=1))
    assert said.status == 2 and "the images of stickers differ" in said.err


def test_a_path_is_a_path_also_where_a_data_set_has_its_name(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    put(tmp_path / "digits", count=12)
    own = read_study(written(data={"path": "digits"})).data
    assert own.name == str(tmp_path / "digits") and own.load().classes == ("cat", "dog")
    assert read_study(written(data={"name": "digits"})).data.shape() == ((1, 8, 8), 10)
    assert read_study(written(data="digits")).data.shape() == ((1, 8, 8), 10)
    study = written(data={"path": "digits"}, trials=1, workers=1)
    ran = command("search", study, "--plain")
    assert ran.status == 0 and "2 classes: cat 12, dog 12" in ran.out
    assert command("search", study, "--plain").status == 0, "what is stored of the study is the path"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"path": "x", "alpha": "grey"}, "alpha is 'grey'; it may be white, black, drop"),
        ({"path": "x", "bits": 99}, "bits is 99; it must be 1..32"),
        ({"path": "x", "range": [5, 1]}, "the first number must be lower"),
        ({"path": "x", "classes": ["a", "a"]}, "it must be a list of different texts"),
        ({"path": "x", "size": "big"}, "size is 'big'; it must be 1..4096 pixels"),
    ],
)
def test_mistakes_stand_at_their_line(
    data: dict[str, object], sentence: str, command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    said = command("check", written(data=data))
    assert said.status == 2 and sentence in said.err and ":" in said.err.split("  ")[0]


def test_photos_that_were_added_are_no_test_images(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    """The split of a study is that of its images; with others, no test image may have been trained on."""
    put(tmp_path / "photos", count=12)
    study = written(data={"path": "photos"}, trials=1, workers=1)
    assert command("search", study).status == 0
    for number in range(3):
        Image.fromarray(pixels(900 + number)).save(tmp_path / "photos" / "cat" / f"new{number}.png")
    said = command("export", "tiny#0", "--to", "mine")
    assert "differ from those that study tiny began with" in said.err and "no test accuracy" in said.err
    report = json.loads((tmp_path / "mine" / "report.json").read_text())
    assert report["accuracy"]["test"] is None and report["images"] == {"train": 16, "valid": 4, "test": 4}
    assert command("search", study).status == 2
