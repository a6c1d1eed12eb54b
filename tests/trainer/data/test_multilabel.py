"""Images with several labels: read from arrays and tables, split by label, and refused where they are half said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.made import counts, pixels, refusal
from trainer import Data, load
from trainer.data.describe import lines, to_json
from trainer.data.multilabel_split import divide_labels
from trainer.data.raw import Part
from trainer.data.sheet import sheet
from trainer.data.signs import signs

NAMES = ("fluid", "mass", "nodule")


def drawn_labels(count: int = 60) -> Any:
    return (np.random.default_rng(0).random((count, 3)) < (0.5, 0.3, 0.2)).astype(np.int64)


def npz(path: Path, labels: Any = None, **others: Any) -> Path:
    """Write an .npz as MedMNIST's ChestMNIST has it, without splits."""
    labels = drawn_labels() if labels is None else labels
    np.savez(path, images=pixels(0, (len(labels), 6, 6)), labels=labels, **others)
    return path


def photos(folder: Path, cells: list[Any], header: str = "label") -> Path:
    """Write images and a table of their labels."""
    (folder / "images").mkdir(parents=True)
    for number in range(len(cells)):
        Image.fromarray(pixels(number)).save(folder / "images" / f"{number}.png")
    rows = [f"{number}.png;{cell}" for number, cell in enumerate(cells)]
    (folder / "labels.csv").write_text("\n".join([f"file;{header}", *rows]))
    return folder


def by_pixels(data: Data) -> dict[bytes, list[int]]:
    splits = (data.train, data.valid, data.test)
    return {
        x.numpy().tobytes(): y for split in splits for x, y in zip(split.x, split.y.tolist(), strict=True)
    }


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, bool])
def test_arrays_of_marks(tmp_path: Path, kind: Any) -> None:
    wanted = drawn_labels()
    file = npz(tmp_path / "chest.npz", wanted.astype(kind), classes=np.array(NAMES))
    data = load(file, multilabel=True)
    assert data.is_multilabel and data.classes == NAMES and sum(counts(data)) == 60
    found = by_pixels(data)
    assert all(
        found[image.tobytes()] == row
        for image, row in zip(pixels(0, (60, 6, 6)), wanted.tolist(), strict=True)
    )
    for split in (data.train, data.valid, data.test):
        assert (split.y.sum(0) > 0).all()
    assert "say multilabel: true if an image may have several labels or none" in refusal(file)


def test_parts_that_are_given_are_kept(tmp_path: Path) -> None:
    labels, images = drawn_labels(), pixels(0, (60, 6, 6))
    file = tmp_path / "parts.npz"
    np.savez(
        file,
        train_images=images[:40], train_labels=labels[:40],
        val_images=images[40:50], val_labels=labels[40:50],
        test_images=images[50:], test_labels=labels[50:],
    )  # fmt: skip
    data = load(file, multilabel=True)
    assert counts(data) == [40, 10, 10] and data.classes == ("0", "1", "2")
    assert data.valid.y.tolist() == labels[40:50].tolist()


@pytest.mark.parametrize(
    ("labels", "others", "said"),
    [
        (drawn_labels() * 2, {}, "holds 2; with multilabel: true, labels are 0 or 1"),
        (
            drawn_labels()[:, 0],
            {},
            "labels are numbers (N, K) with a column of 0 and 1 for each of two labels",
        ),
        (drawn_labels() - 0.5, {}, "labels are 0 or 1"),
        (
            drawn_labels(),
            {"classes": np.array(["a", "b"])},
            "has 3 columns and classes 2 names; give one for each",
        ),
        (np.eye(60)[:, :3], {}, "label 0 has 1 images; at least 3 are needed for train, valid and test"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, labels: Any, others: dict[str, Any], said: str) -> None:
    assert said in refusal(npz(tmp_path / "a.npz", labels, **others), multilabel=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda names: "|".join(names),
        lambda names: ", ".join(names),
        lambda names: " ".join(names),
        lambda names: json.dumps(names),
        lambda names: str(names),
    ],
    ids=["bars", "commas", "blanks", "JSON", "Python"],
)
def test_a_column_of_lists(tmp_path: Path, write: Any) -> None:
    wanted = drawn_labels(40)
    lists = [[name for name, has in zip(NAMES, row, strict=True) if has] for row in wanted]
    data = load(photos(tmp_path / "x", [write(names) if names else "" for names in lists]), multilabel=True)
    assert data.classes == NAMES and sum(counts(data)) == 40
    found = by_pixels(data)
    for number, row in enumerate(wanted.tolist()):
        assert found[pixels(number).transpose(2, 0, 1).tobytes()] == row
    bare = sum(not names for names in lists)
    assert f"{wanted.sum() / 40:.2f} labels an image, {bare} of 40 images have none" in "\n".join(lines(data))


def test_columns_of_marks_beside_others(tmp_path: Path) -> None:
    wanted = drawn_labels(40)
    cells = [";".join(map(str, (*row, 50 + number))) for number, row in enumerate(wanted)]
    folder = photos(tmp_path / "x", cells, ";".join((*NAMES, "age")))
    data = load(folder, multilabel=True)
    assert data.classes == NAMES
    two = load(folder, multilabel=True, classes=["nodule", "fluid"])
    assert two.classes == ("nodule", "fluid")
    assert sum(int(split.y[:, 0].sum()) for split in (two.train, two.valid, two.test)) == wanted[:, 2].sum()
    assert "labels.csv:2 has 50 in age; it must be 0 or 1" in refusal(
        folder, multilabel=True, classes=["age", "mass"]
    )


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["a|b", "a,b"] * 10, "labels.csv:2 has | in label and "),
        (
            ["a|b", "nan"] * 10,
            "labels.csv:3 has nan in label; leave the cell of an image without labels empty",
        ),
        (["a", "a"] * 10, "has 1 label (a); at least 2 are needed"),
        (["a|b", "a"] * 10 + ["c"], "label c has 1 images"),
    ],
)
def test_other_cells_are_refused(tmp_path: Path, cells: list[str], said: str) -> None:
    assert said in refusal(photos(tmp_path / "x", cells), multilabel=True)


def test_it_must_be_said(tmp_path: Path) -> None:
    folder = photos(tmp_path / "x", ["a|b", "a"] * 10 + ["b|c"] * 4)
    assert "has several labels in label (a|b)" in refusal(folder) and "say multilabel: true" in refusal(
        folder
    )
    assert "multilabel is 'yes'; it must be true or false" in refusal(folder, multilabel="yes")


def test_folders_have_one_class(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.fromarray(pixels(number)).save(tmp_path / name / f"{number}.png")
    assert "multilabel is given for" in refusal(tmp_path, multilabel=True)


def test_what_is_told_counts_labels(tmp_path: Path) -> None:
    wanted = np.column_stack([np.ones(60, dtype=int), drawn_labels()[:, 1], np.arange(60) < 6])
    data = load(npz(tmp_path / "a.npz", wanted), multilabel=True)
    told = "\n".join(lines(data))
    assert f"3 labels: 0 60, 1 {wanted[:, 1].sum()}, 2 6" in told and "always answering" not in told
    assert "doubtful: labels that every train image has: 0" in told
    assert (
        "doubtful: labels with fewer than 5 train images: 2 (" in told and "drawn: 20% of each label" in told
    )
    plain = to_json(data)
    assert plain["multilabel"] is True and "majority" not in plain
    assert sum(plain["classes"]["1"].values()) == wanted[:, 1].sum()
    assert sheet(data).startswith(b"\x89PNG")


@settings(deadline=None, max_examples=60)
@given(
    st.integers(40, 200),
    st.lists(st.floats(0.15, 0.9), min_size=2, max_size=5),
    st.integers(0, 99),
    st.booleans(),
)
def test_every_label_is_drawn_in_its_share(
    images: int, rates: list[float], seed: int, is_grouped: bool
) -> None:
    stream = np.random.default_rng(seed)
    y = (stream.random((images, len(rates))) < rates).astype(np.int64)
    y[:2] = 1  # no label without images
    y[2] = 0
    groups = np.arange(images) // 2 if is_grouped else None
    part = Part(np.zeros((images, 1, 1, 1), np.uint8), y, groups)
    rest, chosen = divide_labels(part, 0.2, seed, [str(k) for k in range(len(rates))])
    assert sorted([*rest, *chosen]) == list(range(images))
    slack = (2 + 0.05 * images) * (2 if is_grouped else 1)
    assert np.abs(y[chosen].sum(0) - 0.2 * y.sum(0)).max() <= slack
    assert abs(len(chosen) - 0.2 * images) <= slack
    assert (y[chosen].sum(0) > 0).all() and (y[rest].sum(0) > 0).all()
    if groups is not None:
        assert not set(groups[rest]) & set(groups[chosen])
    again = divide_labels(part, 0.2, seed, "abcde")
    assert np.array_equal(again[0], rest)


def test_neighbours_are_compared_with_images_of_the_same_labels(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).normal(0, 4, (120, 6, 5, 3))
    film = (128 + steps.cumsum(axis=0)).clip(0, 255).astype(np.uint8)
    labels = np.stack([np.arange(120) // 60, np.ones(120, int), np.arange(120) % 60 < 30], axis=1)
    told = {}
    for name, images in (("film", film), ("shuffled", np.random.default_rng(1).permutation(film))):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=labels)
        told[name] = "\n".join(signs(load(tmp_path / f"{name}.npz", multilabel=True)))
    sentence = "images that follow each other are more alike than others"
    assert sentence in told["film"] and sentence not in told["shuffled"]


def test_columns_of_marks_that_may_be_several_labels_say_so(tmp_path: Path) -> None:
    rows = ["file,mass,nodule", *(f"{number}.png,{number % 2},{number % 3 == 0:d}" for number in range(12))]
    folder = photos(tmp_path / "chest", [""] * 12)
    (folder / "labels.csv").write_text("\n".join(rows))
    assert "say multilabel: true for all of mass, nodule, or label: mass or label: nodule" in refusal(folder)


@pytest.mark.parametrize(("cell", "told"), [("-1", "-1"), ("", "nothing")])
def test_a_column_of_marks_with_a_gap_is_not_passed_over(tmp_path: Path, cell: str, told: str) -> None:
    """CheXpert writes -1 for what is uncertain, and nothing where a label is not mentioned."""
    rows = ["file,mass,nodule,age,fluid"]
    rows += [f"{n}.png,{n % 2},{n % 3 == 0:d},{n},{cell if n == 5 else n % 2}" for n in range(12)]
    folder = photos(tmp_path / "chest", [""] * 12)
    (folder / "labels.csv").write_text("\n".join(rows))
    said = refusal(folder, multilabel=True)
    assert f"has {told} in fluid; it must be 0 or 1; where fluid is no label" in said
    data = load(folder, multilabel=True, classes=["mass", "nodule"])
    assert data.classes == ("mass", "nodule")
    assert "as you said: classes: [mass, nodule], multilabel: true" in lines(data)
