"""Pictures of any size and proportions as one size: stretched, cropped, padded, drafted, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.trainer.data.made import pixels, put, refusal
from trainer import DataError, load
from trainer.data import describe
from trainer.data.picture import read_picture
from trainer.data.reading import Reading
from trainer.data.resize import sized

STRIPES = np.repeat(np.array([[0, 0, 200, 200, 100, 100]], np.uint8), 2, axis=0)  # (2, 6): three squares


def test_the_middle_is_cropped_and_the_whole_is_padded_with_black() -> None:
    assert sized(STRIPES, (2, 2), "crop").tolist() == [[200, 200], [200, 200]]
    padded = sized(STRIPES, (6, 6), "pad")
    assert padded[:2].max() == padded[4:].max() == 0
    assert np.array_equal(padded[2:4], STRIPES)
    assert sized(STRIPES, (2, 3)).shape == (2, 3), "stretched by default"


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_every_band_is_resized_as_a_grey_image_is(fit: str) -> None:
    bands = pixels(0, (9, 14, 5))
    alone = [sized(bands[..., band], (6, 6), fit) for band in range(5)]
    assert np.array_equal(sized(bands, (6, 6), fit), np.stack(alone, axis=2))
    assert np.array_equal(sized(bands[..., :3], (6, 6), fit), np.stack(alone[:3], axis=2))


@pytest.mark.parametrize("answers", [{"fit": "crop"}, {"fit": "pad"}])
def test_a_data_set_is_fitted_as_it_says(answers: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path, suffix=".png")
    said = load(tmp_path, size=4, **answers)
    assert not np.array_equal(said.train.x, load(tmp_path, size=4).train.x)
    assert said.reading.of_pixels() == answers
    assert "fit is given without a size" in refusal(tmp_path, **answers)


def photo(file: Path, sides: tuple[int, int]) -> Path:
    Image.fromarray(pixels(1, (7, 5, 3))).resize(sides, Image.Resampling.BICUBIC).save(file, quality=90)
    return file


def test_a_draft_is_nearly_the_image_and_is_told_by_its_whole_size(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            photo(tmp_path / name / f"{number}.jpg", (240, 180 + number))
    exact, drafted = load(tmp_path, size=16), load(tmp_path, size=16, draft=True)
    assert drafted.seen.pixels.endswith("resized from 180x240 to 183x240")
    difference = np.abs(np.asarray(exact.train.x).astype(int) - np.asarray(drafted.train.x))
    assert difference.max() > 0 and difference.mean() < 4
    assert describe.lines(drafted)[0].endswith("to 183x240, 8 of them decoded at a fraction of their size")


def test_many_large_jpeg_files_are_told_where_nothing_is_said_of_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "WORTH", 8)
    for name, suffix in (("cat", "jpg"), ("dog", "jpg"), ("emu", "png")):
        (tmp_path / name).mkdir()
        for number in range(4):
            photo(tmp_path / name / f"{number}.{suffix}", (64, 64))
    note = "note: 8 images are JPEG of at least four times this size; with draft: true"
    told = [[note in line for line in describe.lines(load(tmp_path, size=side))] for side in (16, 17)]
    assert any(told[0]) and not any(told[1])
    for said in (True, False):
        assert not any("note: " in line for line in describe.lines(load(tmp_path, size=16, draft=said)))


def test_a_small_photo_is_not_drafted(tmp_path: Path) -> None:
    file = photo(tmp_path / "1.jpg", (63, 63))  # less than four times its size of 16
    read = [read_picture(file, (16, 16), reading=Reading(draft=draft)) for draft in (False, True)]
    assert np.array_equal(*read)


def test_a_picture_above_the_limit_is_read_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path)
    Image.fromarray(pixels(2, (30, 50, 3))).save(tmp_path / "cat" / "0.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    said = refusal(tmp_path, size=8)
    assert "cat/0.png has more than 0.001 megapixels" in said and "say megapixels: 200" in said
    assert load(tmp_path, size=8, megapixels=0.0015).train.x.shape[2:] == (8, 8)
    assert Image.MAX_IMAGE_PIXELS == 1_000
    assert "cat/0.png has more than 0.0014 megapixels" in refusal(tmp_path, size=8, megapixels=0.0014)


def test_a_deep_picture_above_the_limit_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", pixels(0, (30, 50, 3), 4096, np.uint16), photometric="rgb")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(DataError, match=r"deep.tif has more than 0.001 megapixels"):
        read_picture(tmp_path / "deep.tif", (8, 8), reading=Reading(bits=12))
    assert (
        read_picture(tmp_path / "deep.tif", (8, 8), reading=Reading(bits=12, megapixels=1)).dtype == np.uint16
    )


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"fit": "squash"}, "fit is 'squash'; it may be stretch, crop, pad"),
        ({"draft": 1}, "draft is 1; it must be true or false"),
        ({"megapixels": 0}, "megapixels is 0; it must be a number up to"),
        ({"damaged": "60%"}, "damaged is '60%'; it must be a share below 50%, such as 1%"),
        ({"damaged": "few"}, "damaged is 'few'; it must be a share"),
    ],
)
def test_other_answers_are_refused(answers: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as caught:
        Reading.parse(answers)
    assert told in str(caught.value)


def test_damaged_files_are_left_out_up_to_a_share(tmp_path: Path) -> None:
    put(tmp_path / "train", count=10)
    put(tmp_path / "test", count=1)
    (tmp_path / "train" / "cat" / "3.png").write_bytes(b"no")
    said = refusal(tmp_path)
    assert (
        "train/cat/3.png cannot be read" in said and "damaged: 1% (1 of 22 files are damaged, 4.55%)" in said
    )
    assert "4.55% (damaged: 1.00% is said): " in refusal(tmp_path, damaged="1%")
    data = load(tmp_path, damaged="5%")
    assert len(data.train) + len(data.valid) == 19
    assert [(one.why, one.files) for one in data.seen.skipped] == [("damaged", 1)]
    for name in ("cat", "dog"):
        (tmp_path / "test" / name / "0.png").write_bytes(b"no")
    assert "all 2 test files are damaged, such as" in refusal(tmp_path, damaged="20%")


def test_a_share_is_a_percentage_or_a_number() -> None:
    assert Reading.parse({"damaged": "1%"}) == Reading.parse({"damaged": 0.01})


def test_auto_is_the_median_side_of_pictures_that_pillow_cannot_open(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number, side in enumerate((20, 22, 24, 24, 24, 30)):
        for name in ("field", "town"):
            (tmp_path / name).mkdir(exist_ok=True)
            bands = np.full((side, side, 8), 100 * number, np.uint16)
            file = tmp_path / name / f"{number}.tif"
            tifffile.imwrite(file, bands, photometric="minisblack", planarconfig="contig")
    assert load(tmp_path, size="auto", bits=12).input == (8, 24, 24)
    assert capfd.readouterr() == ("", ""), "Pillow says a line for each such file"


def test_auto_measures_pictures_as_large_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("L", (50, 50), 60 * number).save(tmp_path / name / f"{number}.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    assert load(tmp_path, size="auto", megapixels=0.0025).input == (1, 50, 50)
