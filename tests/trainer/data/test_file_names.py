"""Classes in the names of files, and what names are for something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data.kinds.kind import NAMES, WITH_TEST, Read, check, in_folders, picture, samples, save
from tests.trainer.data.made import counts, refusal
from trainer import load
from trainer.data.name_classes import classes_of
from trainer.data.other_tasks import other_task
from trainer.data.tree import scan


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.0.jpg", "cat"),
        ("Abyssinian_100.jpg", "Abyssinian"),
        ("american_bulldog_7.jpg", "american_bulldog"),
        ("n02085620_10074.JPEG", "n02085620"),
        ("cat (3).png", "cat"),
        ("cat12.png", "cat"),
        ("12_frog.png", "frog"),
        ("00017.png", None),
        ("2017-01-04.png", None),
        ("26_0_2_20170104.png", None),
    ],
)
def test_the_class_in_a_name(name: str, expected: str | None) -> None:
    assert classes_of([Path(name)]).get(Path(name)) == expected


def test_folders_of_splits_above_named_files(tmp_path: Path) -> None:
    for one in samples("train", "test"):
        save(one.pixels, tmp_path / one.split / f"{one.number}_{one.name}.png")
    assert "say layout: file_names if these are meant (else: " in refusal(tmp_path)
    check(load(tmp_path, layout="file_names"), Read(WITH_TEST))
    assert load(tmp_path, layout="file_names", classes=["emu", "dog", "cat"]).classes == ("emu", "dog", "cat")
    save(picture(0), tmp_path / "test" / "99_yak.png")
    assert "holds the label yak, which no train image has" in refusal(tmp_path, layout="file_names")


def test_names_of_a_camera_tell_no_classes(tmp_path: Path) -> None:
    for one in samples():
        save(one.pixels, tmp_path / f"IMG_{one.number:04d}.png")
    assert "file_names" not in refusal(tmp_path)
    assert "holds one class; at least 2 are needed" in refusal(tmp_path, layout="file_names")


def test_names_without_a_class_are_counted(tmp_path: Path) -> None:
    for one in samples():
        save(one.pixels, tmp_path / f"{one.name}_{one.number}.png")
    save(picture(0), tmp_path / "overview.png")
    data = load(tmp_path, layout="file_names")
    assert sum(counts(data)) == 24
    assert [(one.why, one.files) for one in data.seen.skipped] == [("no class in its name", 1)]


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("labels/a.txt", "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n", "YOLO"),
        (
            "a.xml",
            '<?xml version="1.0"?><annotation verified="no"><object></object></annotation>',
            "Pascal VOC",
        ),
        ("annotations/instances_val2017.json", "{}", "COCO"),
        ("labels/a.txt", "0\n", None),
        ("notes.txt", "5 photos of 2020\n", None),
        ("readme.xml", "<html></html>", None),
        ("sizes.txt", "1 12.5 3 4 5 of 6\n", None),
    ],
)
def test_boxes_are_told_from_other_texts(name: str, content: str, form: str | None, tmp_path: Path) -> None:
    in_folders(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    said = other_task(scan(tmp_path))
    assert (said is None) if form is None else (f"has boxes of objects ({form})" in str(said))
    assert load(tmp_path).classes == NAMES  # class folders are what they are
