"""Masks that stand in folders beside the images are never taken as images of a class."""

from pathlib import Path

import pytest
from PIL import Image

from tests.trainer.data.made import counts, images_of, pixels, refusal
from trainer import load


def radiography(root: Path, masks: str, suffix: str = "") -> None:
    """Write COVID/images/0.png with COVID/masks/0.png, and the same for Normal, as COVID-19 Radiography has them."""
    for place, name in enumerate(("COVID", "Normal")):
        for number in range(5):
            for shift, folder in enumerate(("images", masks)):
                (root / name / folder).mkdir(parents=True, exist_ok=True)
                file = root / name / folder / f"{number}{suffix if shift else ''}.png"
                Image.fromarray(pixels(100 * shift + 10 * place + number)).save(file)


@pytest.mark.parametrize("suffix", ["", "_mask"])
@pytest.mark.parametrize("masks", ["masks", "mask", "Segmentation", "annotations", "labels", "ground_truth"])
def test_masks_in_a_folder_beside_images_are_left_out_and_counted(
    masks: str, suffix: str, tmp_path: Path
) -> None:
    radiography(tmp_path, masks, suffix)
    data = load(tmp_path, classes=["COVID", "Normal"])
    shown = {
        pixels(10 * place + number).transpose(2, 0, 1).tobytes() for place in (0, 1) for number in range(5)
    }
    assert sum(counts(data)) == 10 and images_of(data) == shown
    (left,) = data.seen.skipped
    assert left.files == 10 and left.example == f"COVID/{masks}/0{suffix}.png" and "a mask" in left.why
    assert sum(counts(load(tmp_path, classes=["COVID", "Normal"], skip=[]))) == 20
    assert sum(counts(load(tmp_path, classes=["COVID", "Normal"], skip=[f"*/{masks}/*"]))) == 10


def test_the_advice_of_nested_images_takes_no_masks(tmp_path: Path) -> None:
    radiography(tmp_path, "masks")
    assert "say classes: [COVID, Normal]" in refusal(tmp_path)
    assert sum(counts(load(tmp_path, classes=["COVID", "Normal"]))) == 10
    said = refusal(tmp_path)
    assert said.endswith("say classes: [COVID, Normal]"), "one folder is no advice for classes"


def test_masks_are_left_out_when_something_else_is_skipped(tmp_path: Path) -> None:
    radiography(tmp_path, "masks")
    data = load(tmp_path, classes=["COVID", "Normal"], skip=["4.*"])
    assert sum(counts(data)) == 8 and {one.files for one in data.seen.skipped} == {8, 4}


def test_other_names_are_classes(tmp_path: Path) -> None:
    """A folder is one of masks only beside one of images whose names it has."""
    for name in ("mask", "no_mask"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(pixels(number + 10 * len(name))).save(tmp_path / "faces" / name / f"{number}.png")
    assert sum(counts(load(tmp_path))) == 10
