"""Text files that list images: Caffe's, Food-101's and those of Caltech-UCSD Birds, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data.kinds.folders import cub, lists_of_numbers
from tests.trainer.data.kinds.kind import NAMES, in_folders, samples, save
from tests.trainer.data.made import counts, refusal
from trainer import load


def listed(root: Path, folder: str = "images") -> list[str]:
    """Write class folders and return the path of each file below them."""
    in_folders(root / folder)
    return [f"{one.name}/{one.stem}.png" for one in samples()]


def test_lists_say_the_splits_of_class_folders(tmp_path: Path) -> None:
    paths = listed(tmp_path)
    drawn = load(tmp_path)
    (tmp_path / "train.txt").write_text("\n".join(paths[:15]))
    (tmp_path / "test.txt").write_text("\n".join(paths[15:21]))
    data = load(tmp_path)
    assert sum(counts(data)[:2]) == 15 and counts(data)[2] == 6 and data.classes == drawn.classes == NAMES
    assert data.seen.origins[0] == "train.txt" and "in no list" in {one.why for one in data.seen.skipped}
    assert load(tmp_path, layout="folders").digest() == drawn.digest()
    (tmp_path / "test.txt").write_text("\n".join(paths[14:21]))
    assert f"{paths[14]} is of train and of test by its lists" in refusal(tmp_path, layout="lists")
    (tmp_path / "test.txt").write_text("\n".join([*paths[15:21], "emu/gone.png"]))
    assert (
        "test.txt:7 names emu/gone.png, which is not there; restore it or take its line out (or say layout: folders"
        in (refusal(tmp_path))
    )


def test_numbers_of_lists_are_the_folders_only_where_each_is_one(tmp_path: Path) -> None:
    paths = listed(tmp_path)
    lines = [f"{path} {2 - one.label}" for path, one in zip(paths, samples(), strict=True)]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    assert load(tmp_path).classes == NAMES
    (tmp_path / "train.txt").write_text("\n".join([f"{paths[0]} 1", *lines[1:]]))  # a cat among the dogs
    assert load(tmp_path).classes == ("0", "1", "2")


def test_paths_with_spaces_and_what_is_no_list(tmp_path: Path) -> None:
    for one in samples():
        save(one.pixels, tmp_path / "my photos" / f"a {one.name} {one.number}.png")
    lines = [f"my photos/a {one.name} {one.number}.png {one.label}" for one in samples()]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    assert load(tmp_path).classes == ("0", "1", "2")
    (tmp_path / "train.txt").write_text("epoch 1 loss 0.3\nepoch 2 loss 0.2\n")
    assert "has 1 subfolders with images" in refusal(tmp_path)
    assert "has no list of train images, such as train.txt" in refusal(tmp_path, layout="lists")


@pytest.mark.parametrize(
    ("name", "lines", "sentence"),
    [
        ("images.txt", "1 gone.jpg\n", "images.txt names gone.jpg, which is not there"),
        ("image_class_labels.txt", "1 1\n2 2\n", "image_class_labels.txt says nothing of image 3 ("),
        ("train_test_split.txt", "1 1\n2 yes\n", "train_test_split.txt says nothing of image 2 ("),
        (
            "train_test_split.txt",
            "".join(f"{n} 0\n" for n in range(1, 34)),
            "has no train image, which is a line",
        ),
        ("train_test_split.txt", "1 1\n1 0\n", "train_test_split.txt:2 has the number 1 again"),
        ("image_class_labels.txt", "1 1\n2\n", "image_class_labels.txt:2 has the number 2 without a value"),
    ],
)
def test_damaged_files_of_birds(name: str, lines: str, sentence: str, tmp_path: Path) -> None:
    cub(tmp_path)
    (tmp_path / name).write_text(lines)
    assert sentence in refusal(tmp_path)


def test_an_image_that_no_list_names_is_counted(tmp_path: Path) -> None:
    cub(tmp_path)
    save(next(samples()).pixels, tmp_path / "images" / "001.cat" / "new.jpg")
    assert ("not in images.txt", 1) in [(one.why, one.files) for one in load(tmp_path).seen.skipped]


def test_labels_of_valid_that_train_lacks(tmp_path: Path) -> None:
    lists_of_numbers(tmp_path)
    file = tmp_path / "meta" / "val.txt"
    file.write_text(file.read_text().replace(" 2\n", " 7\n"))
    assert "holds the label 7, which no train image has" in refusal(tmp_path)
