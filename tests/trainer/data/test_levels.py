"""Which folders are splits, which are classes, and what is passed over: read right, or refused with the mend."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.trainer.data.made import counts, images_of, pixels, put, refusal
from trainer import load


@pytest.mark.parametrize(
    "names", [("train", "val"), ("train", "valid"), ("Train", "Validation"), ("training_set", "dev")]
)
def test_own_validation_images_are_valid(names: tuple[str, str], tmp_path: Path) -> None:
    put(tmp_path / names[0], count=10)
    put(tmp_path / names[1], count=3)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog") and counts(data) == [16, 6, 4]
    assert data.seen.origins[:2] == (f"{names[0]}/", f"{names[1]}/") and "drawn: 20%" in data.seen.origins[2]
    own = {Image.open(file).tobytes() for file in (tmp_path / names[1]).rglob("*.png")}
    assert own == {x.permute(1, 2, 0).numpy().tobytes() for x in data.valid.x}


@pytest.mark.parametrize(
    "names", [("Train", "Test"), ("training", "testing"), ("TRAIN", "eval"), ("trn", "tst")]
)
def test_own_test_images_are_test(names: tuple[str, str], tmp_path: Path) -> None:
    put(tmp_path / names[0], count=10)
    put(tmp_path / names[1], count=3)
    assert counts(load(tmp_path)) == [16, 4, 6]


def test_three_splits_are_kept(tmp_path: Path) -> None:
    for name, count in (("train", 6), ("val", 2), ("test", 3)):
        put(tmp_path / "petals" / name, count=count)
    data = load(tmp_path)  # one level above, too
    assert counts(data) == [12, 4, 6] and data.seen.origins == (
        "petals/train/",
        "petals/val/",
        "petals/test/",
    )


def test_what_the_sentence_says_to_skip_can_be_skipped(tmp_path: Path) -> None:
    put(tmp_path / "train")
    put(tmp_path, ("test",))
    put(tmp_path / "extra")
    data = load(tmp_path, skip=["test/*", "extra/*"])
    assert data.classes == ("cat", "dog") and sum(counts(data)) == 10
    assert ("left out by skip", 7) in [(one.why, one.files) for one in data.seen.skipped]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    put(tmp_path, ("bus", "car", "train"))
    assert load(tmp_path).classes == ("bus", "car", "train")


def test_classes_of_a_split_with_images_below_are_those_of_the_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        put(tmp_path / name / name)  # unpacked into a folder of its own name
    assert counts(load(tmp_path)) == [8, 2, 10]


def test_files_of_the_system_and_masks_are_passed_over_and_counted(tmp_path: Path) -> None:
    put(tmp_path, count=6)
    whole = images_of(load(tmp_path))
    other = Image.fromarray(pixels(99))
    for name in (
        "cat/._0.png",
        "cat/.ipynb_checkpoints/0.png",
        "__MACOSX/cat/._0.png",
        "cat/0_mask.png",
        "dog/1_mask_1.png",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        other.save(file)
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "emu").mkdir()
    other.save(tmp_path / "logo.png")
    data = load(tmp_path)
    assert images_of(data) == whole and data.classes == ("cat", "dog")
    skipped = {one.why: one.files for one in data.seen.skipped}
    assert skipped == {
        "hidden or of the system": 4,
        "a mask beside its image (skip: [] reads masks too)": 2,
        "no image (.txt)": 1,
        "in no class folder": 1,
        "a folder without images": 1,
    }
    assert len(images_of(load(tmp_path, skip=[]))) == 13, "masks are read where it is asked for"


def test_links_are_followed(tmp_path: Path) -> None:
    put(tmp_path / "store", ("one", "two"), count=6)
    root = tmp_path / "linked"
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "more").symlink_to(tmp_path / "store" / "one")
    (root / "dog").symlink_to(tmp_path / "store" / "two")
    (root / "cat" / "self").symlink_to(root)
    Image.fromarray(pixels(1)).save(root / "cat" / "a.png")
    data = load(root)
    assert sum(counts(data)) == 13 and data.classes == ("cat", "dog")
    assert [one.example for one in data.seen.skipped] == [os.path.join("cat", "self")]


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "cat" / "0.png").unlink()
    (tmp_path / "cat" / "0.png").symlink_to(tmp_path / "gone.png")
    assert "cat/0.png is a link to a file that is not there; restore" in refusal(tmp_path)


def test_images_of_every_common_suffix_are_read(tmp_path: Path) -> None:
    put(tmp_path, count=6)
    for number, suffix in enumerate((".jfif", ".avif", ".JPG", ".jpe", ".webp")):
        kind = {".avif": "AVIF", ".webp": "WEBP"}.get(suffix, "JPEG")
        Image.fromarray(pixels(number + 50)).save(tmp_path / "cat" / f"x{suffix}", format=kind)
    assert sum(counts(load(tmp_path))) == 17


def test_image_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "dog" / "IMG_1.JXL").write_bytes(b"\xff\n")
    assert "dog/IMG_1.JXL is of a format that is not read; convert it" in refusal(tmp_path)
    assert sum(counts(load(tmp_path, skip=["*.JXL"]))) == 10


def test_all_broken_files_are_named_at_once(tmp_path: Path) -> None:
    put(tmp_path)
    for number in (1, 3, 4):
        (tmp_path / "dog" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    said = refusal(tmp_path)
    assert "dog/1.png cannot be read as an image" in said
    assert f"(so are {tmp_path}/dog/3.png, {tmp_path}/dog/4.png)" in said
    assert said.endswith("or leave such files out with damaged: 1% (3 of 10 files are damaged, 30.00%)")


def test_an_answer_that_says_nothing_here_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    assert "channels is given for" in refusal(tmp_path, channels="last")
    assert "colour is no key of data; it may be alpha, bits" in refusal(tmp_path, colour=1)
    assert "alpha is 'grey'; it may be white, black, drop" in refusal(tmp_path, alpha="grey")


def test_order_of_said_classes_is_that_of_their_labels(tmp_path: Path) -> None:
    put(tmp_path, count=6)
    first, second = load(tmp_path, classes=["dog", "cat"]), load(tmp_path, classes=["cat", "dog"])
    assert first.classes == ("dog", "cat") and first.digest() != second.digest() == load(tmp_path).digest()
    shutil.rmtree(tmp_path / "dog")
    assert "has no folders cat, dog, as classes says" in refusal(tmp_path, classes=["cat", "dog"])
