"""WebDataset archives: labels in several forms, and what is no sample."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from tests.trainer.data.kinds.containers import pack, png, shard
from tests.trainer.data.kinds.kind import NAMES, in_folders, picture, samples
from tests.trainer.data.made import counts, refusal
from trainer import load


def test_numbers_are_numbers_and_names_names(tmp_path: Path) -> None:
    names = {f"{one.number}.png": png(one.pixels) for one in samples()}
    for texts in (("2", "10", "9"), NAMES):
        labels = {f"{one.number}.cls": texts[one.label].encode() for one in samples()}
        pack(tmp_path / "pets.tar", dict(sorted((names | labels).items())))
        data = load(tmp_path / "pets.tar")
        assert data.classes == tuple(sorted(texts, key=lambda text: (len(text), text)))
    assert load(tmp_path / "pets.tar", classes=["emu", "dog", "cat"]).classes == ("emu", "dog", "cat")


def test_the_key_of_a_json_is_said(tmp_path: Path) -> None:
    entries = {}
    for one in samples():
        entries[f"{one.number}.png"] = png(one.pixels)
        entries[f"{one.number}.json"] = json.dumps({"species": one.name, "caption": "an animal"}).encode()
    pack(tmp_path / "pets.tar", entries)
    assert "0 has no label (24 of 24 images in all)" in refusal(tmp_path / "pets.tar")
    assert load(tmp_path / "pets.tar", label="species").classes == NAMES
    entries["5.json"] = b"{"
    pack(tmp_path / "pets.tar", entries)
    assert "5.json is no text of a label" in refusal(tmp_path / "pets.tar", label="species")


def test_a_label_beside_a_json_has_the_word(tmp_path: Path) -> None:
    entries = {}
    for one in samples():
        entries[f"{one.number}.cls"] = one.name.encode()
        entries[f"{one.number}.json"] = b'{"label": "other"}'
        entries[f"{one.number}.png"] = png(one.pixels)
    pack(tmp_path / "pets.tar", entries)
    assert load(tmp_path / "pets.tar").classes == NAMES


def test_samples_without_an_image_are_counted_and_two_images_refused(tmp_path: Path) -> None:
    pack(tmp_path / "pets.tar", shard("") | {"x.cls": b"1"})
    data = load(tmp_path / "pets.tar")
    assert sum(counts(data)) == 24
    assert ("a sample without an image", 1) in [(one.why, one.files) for one in data.seen.skipped]
    pack(
        tmp_path / "pets.tar", shard("") | {"x.png": png(picture(0)), "x.jpg": png(picture(1)), "x.cls": b"1"}
    )
    assert "x has two images" in refusal(tmp_path / "pets.tar")


def test_nothing_is_written_outside_and_links_are_no_files(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    with tarfile.open(inside / "pets.tar", "w") as packed:
        link = tarfile.TarInfo("y.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        packed.addfile(link)
        for name, content in ({f"../{key}": value for key, value in shard("").items()}).items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))
    assert sum(counts(load(inside / "pets.tar"))) == 24
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "pets.tar"]


def test_a_part_without_train_and_a_damaged_picture(tmp_path: Path) -> None:
    pack(tmp_path / "pets-test-0.tar", shard("test"))
    assert "has archives of test and none of train" in refusal(tmp_path)
    pack(tmp_path / "pets-train-0.tar", shard("train") | {"000004.png": b"no image"})
    assert "pets-train-0.tar: 000004.png cannot be read as an image" in refusal(tmp_path)


def test_an_archive_beside_its_folders_is_left_out(tmp_path: Path) -> None:
    in_folders(tmp_path)
    pack(tmp_path / "pets.tgz", {f"{one.name}/{one.stem}.png": png(one.pixels) for one in samples()}, "w:gz")
    (tmp_path / "part.tar").write_bytes(b"half a download")
    data = load(tmp_path)
    assert data.classes == NAMES
    assert {one.why for one in data.seen.skipped} == {"no image (.tgz)", "no image (.tar)"}
