"""What is told of a data set before a search is spent on it: what was understood, and what is doubtful."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.made import pixels, put, refusal
from trainer import load
from trainer.data import describe, sheet
from trainer.data.signs import SIGNS, signs


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def clean(count: int = 60) -> dict[str, Any]:
    labels = np.arange(count) % 2
    return {
        "train_x": pixels(0, (count, 6, 5, 3)),
        "train_y": labels,
        "test_x": pixels(1, (count, 6, 5, 3)),
        "test_y": labels,
    }


def one_colour(arrays: dict[str, Any]) -> str:
    arrays["test_x"][:7] = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1) + np.array([0, 9, 30], np.uint8)
    return "7 of 120 images are of one colour all over"


def dark(arrays: dict[str, Any]) -> str:
    arrays["train_x"] //= 16
    return "no train pixel is above 15 of 255; say range: [0, 15]"


def leaked(arrays: dict[str, Any]) -> str:
    arrays["test_x"] = arrays["train_x"][::-1].copy()
    return "52 of 60 test images are equal to a train image"


def two_classes(arrays: dict[str, Any]) -> str:
    arrays["train_x"][1] = arrays["train_x"][0]
    arrays["valid_x"], arrays["valid_y"] = pixels(3, (4, 6, 5, 3)), np.arange(4) % 2
    return "1 train images are equal to one of another class"


def rare(arrays: dict[str, Any]) -> str:
    arrays["train_y"] = np.r_[[2] * 4, arrays["train_y"][4:]]
    return "classes with fewer than 5 train images: 2 (3)"


def lacking(arrays: dict[str, Any]) -> str:
    arrays["test_y"] = np.ones(60, int)
    return "test has no image of 0"


def mostly(arrays: dict[str, Any]) -> str:
    arrays["train_y"] = (np.arange(60) >= 54).astype(int)
    return "88.9% of the validation images are 0: a network that always says so has accuracy 0.8889"


def grey(arrays: dict[str, Any]) -> str:
    arrays["train_x"][:5] = arrays["train_x"][:5, :, :, :1]
    return "5 of 120 images are grey and are read as colour"


def alike(arrays: dict[str, Any]) -> str:
    arrays["classes"] = np.array(["Cat", "cat"])
    return "classes that differ in case or spaces alone: Cat, cat"


def masks(arrays: dict[str, Any]) -> str:
    arrays["train_x"][:8] = np.where(arrays["train_x"][:8] > 99, 255, 0)
    return "8 of 120 images hold two values alone, as masks do"


def film(arrays: dict[str, Any]) -> str:
    steps = np.random.default_rng(0).normal(0, 4, (60, 6, 5, 3))
    arrays["train_x"] = (128 + steps.cumsum(axis=0)).clip(0, 255).astype(np.uint8)
    arrays["train_y"] = np.arange(60) // 30
    return "images that follow each other are more alike than others of their class"


def large(arrays: dict[str, Any]) -> str:
    for part in ("train", "test"):
        arrays[f"{part}_x"] = pixels(len(part), (60, 20, 528, 3))
    return "images of 20x528 take about 1 times the work of 96x96; say a size for pictures"


SPOILT = (alike, large, one_colour, dark, leaked, two_classes, rare, lacking, mostly, grey, masks, film)


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_doubtful_is_told(spoil: Callable[[dict[str, Any]], str], tmp_path: Path) -> None:
    arrays = clean()
    assert not signs(load(saved(tmp_path, **arrays)))
    sentence = spoil(arrays)
    found = signs(load(saved(tmp_path, **arrays)))
    assert any(sentence in one for one in found), found
    of_several = 1  # in test_multilabel.py
    assert len(SPOILT) + of_several == len(SIGNS), "each sign has a test"


def test_order_is_no_sign_where_the_owner_split_the_images(tmp_path: Path) -> None:
    arrays = clean()
    film(arrays)
    order = np.random.default_rng(1).permutation(60)
    shuffled = arrays | {"train_x": arrays["train_x"][order], "train_y": arrays["train_y"][order]}
    assert not signs(load(saved(tmp_path, **shuffled)))
    assert not signs(
        load(saved(tmp_path, **arrays, valid_x=pixels(5, (9, 6, 5, 3)), valid_y=np.arange(9) % 2))
    )


def test_folds_part_neighbours_too(tmp_path: Path) -> None:
    arrays = clean()
    film(arrays)
    assert signs(load(saved(tmp_path, **arrays), folds=3)), (
        "the owner split off the test images, not the folds"
    )


def test_lines_say_all_that_was_understood(tmp_path: Path) -> None:
    put(tmp_path / "pets" / "train", count=20)
    put(tmp_path / "pets" / "val", count=5)
    (tmp_path / "pets" / "train" / "cat" / "._0.png").write_bytes(b"x")
    assert describe.lines(load(tmp_path / "pets")) == (
        "pets: class folders; 50 images of 7x9, colour, 8 bits, 0..255",
        "splits: 32 train (train/), 10 valid (val/), 8 test (drawn: 20% of each class)",
        "2 classes: cat 25, dog 25; always answering cat is right for 50.0% of valid",
        "left out: 1 x hidden or of the system, such as train/cat/._0.png",
    )


def test_many_classes_are_told_by_the_fewest_and_the_most(tmp_path: Path) -> None:
    labels = np.r_[np.arange(240) % 12, [11] * 5]
    data = load(saved(tmp_path, x=pixels(0, (245, 4, 4)), y=labels))
    assert "12 classes of 20 (0) to 25 (11) images" in describe.lines(data)[2]


def test_json_has_the_same_facts(tmp_path: Path) -> None:
    found = json.loads(json.dumps(describe.to_json(load(saved(tmp_path, **clean())))))
    assert found["splits"]["valid"] == {"images": 8, "from": "drawn: 15% of each class of the train images"}
    assert found["classes"]["1"] == {"train": 26, "valid": 4, "test": 30} and found["doubtful"] == []


def test_the_sheet_has_the_pixels_of_the_network(tmp_path: Path) -> None:
    put(tmp_path, count=30)
    data = load(tmp_path, size=48)
    page = np.asarray(Image.open(io.BytesIO(sheet.sheet(data))))
    assert page.shape[:2] == (
        sheet.GAP + 2 * (sheet.TEXT + 48 + sheet.GAP),
        sheet.GAP + 16 * (48 + sheet.GAP),
    )
    shown = {
        page[top + sheet.TEXT :, left:][:48, :48].transpose(2, 0, 1).tobytes()
        for top in (sheet.GAP, sheet.GAP + sheet.TEXT + 48 + sheet.GAP)
        for left in range(sheet.GAP, page.shape[1], 48 + sheet.GAP)
    }
    assert len(shown) == 32 and shown <= {x.numpy().tobytes() for x in data.train.x}


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_sheet_of_any_channels(channels: int, tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=pixels(0, (30, 6, 5, channels)), y=np.arange(30) % 3), channels="last")
    assert Image.open(io.BytesIO(sheet.sheet(data))).size[1] == sheet.GAP + 3 * (sheet.TEXT + 48 + sheet.GAP)


@pytest.mark.parametrize(
    ("cats", "words"), [(30, "16 train images"), (20, "14 to 16 train images"), (10, "7 to 16 train images")]
)
def test_the_number_on_the_sheet_is_what_it_shows(cats: int, words: str, tmp_path: Path) -> None:
    put(tmp_path, ("cat",), count=cats)
    put(tmp_path, ("dog",), count=30)
    data = load(tmp_path)
    assert sheet.shown(data) == f"{words} of each class"
    counts = [len(sheet._chosen(data, label)) for label in (0, 1)]
    assert f"{min(counts)}" in words and f"{max(counts)}" in words


def test_the_sheet_of_many_classes_says_that_it_is_cut(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=pixels(0, (1005, 4, 4)), y=np.arange(1005) % 201))
    assert sheet.shown(data) == "3 train images of the first 200 of 201 classes"


def test_a_folder_beside_a_named_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not load("digits").seen.notes
    put(tmp_path / "digits")
    (note,) = load("digits").seen.notes
    assert "./digits reads it" in note and load("./digits").input == (3, 7, 9)


@pytest.mark.parametrize("size", ["24,32", [24, 32, 3], 0])
def test_the_message_of_sizes_says_what_works(size: object, tmp_path: Path) -> None:
    said = refusal(put(tmp_path), size=size)
    assert "[24, 32] (--size 24x32), or auto" in said and load(tmp_path, size=[24, 32]).input == (3, 24, 32)
