"""Tables, parquet files and arrays that could be read as what they do not say: each is refused, or read right."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.made import counts, images_of, pixels, put, refusal
from tests.trainer.data.test_table import flat, table
from trainer import load

COUNT = 30


def with_column(folder: Path, name: str, cells: Sequence[Any]) -> Path:
    rows = [(*row, cell) for row, cell in zip(flat(folder / "images"), cells, strict=True)]
    return table(folder / "labels.csv", ["file", "label", name], rows)


def of_parts(one: str, two: str, three: str) -> list[str]:
    return [(one, two, three)[row // 10] for row in range(COUNT)]


@pytest.mark.parametrize(
    ("name", "cells", "odd"),
    [
        ("split", [*of_parts("train", "val", "test")[:-1], "extra"], "31 has extra"),
        ("split", [*of_parts("train", "val", "test")[:-1], ""], "31 has an empty cell"),
        ("purpose split", of_parts("0", "1", "2"), "2 has 0"),
        ("phase", of_parts("a", "b", "c"), "2 has a"),
        ("data_split", of_parts("train", "val", "held out"), "22 has held out"),
        ("Usage", of_parts("Training", "Public", "Private"), "12 has Public"),
        ("is_train", [*of_parts("1", "1", "0")[:-1], ""], "2 has 1"),
        ("fold", of_parts("1", "2", "3"), "2 has 1"),
    ],
)
def test_a_column_of_splits_that_is_not_understood(
    name: str, cells: list[str], odd: str, tmp_path: Path
) -> None:
    file = with_column(tmp_path, name, cells)
    assert f"labels.csv:{odd} in the column {name}, which is none of train, valid and test;" in refusal(file)
    assert f"say label: {name} if it is the label" in refusal(file)
    assert f"in the column {name}" in refusal(file, label="label")
    if set(cells) == set(of_parts(*cells[::10])):  # of no odd cell
        assert len(load(file, label=name).classes) == len(set(cells))


@pytest.mark.parametrize("name", ["Usage", "data_split", "phase", "purpose"])
def test_a_column_of_splits_is_read_by_its_name_or_its_cells(name: str, tmp_path: Path) -> None:
    expected = load(with_column(tmp_path, "split", of_parts("train", "val", "test")))
    found = load(with_column(tmp_path, name, of_parts("Training", "PublicTest", "PrivateTest")))
    assert counts(found) == [10, 10, 10] and found.digest() == expected.digest()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_train": ("True", "True", "False")}, [17, 3, 10]),
        ({"isTraining": (1, 1, 0)}, [17, 3, 10]),
        ({"train": (1, 1, 0)}, [17, 3, 10]),
        ({"is_test": ("no", "no", "yes")}, [17, 3, 10]),
        ({"is_valid": (0, 0, 1)}, [17, 10, 3]),
        ({"is_train": (1, 0, 0), "is_valid": (0, 1, 0)}, [10, 10, 10]),
        ({"is_val": (0, 1, 0), "is_test": (0, 0, 1)}, [10, 10, 10]),
    ],
)
def test_columns_that_mark_a_split(
    columns: dict[str, tuple[Any, ...]], expected: list[int], tmp_path: Path
) -> None:
    rows = [
        (*row, *(cells[n // 10] for cells in columns.values())) for n, row in enumerate(flat(tmp_path / "x"))
    ]
    file = table(tmp_path / "labels.csv", ["file", "label", *columns], rows)
    assert counts(load(file)) == expected
    table(
        file, ["file", "label", "is_train", "is_test"], [(*row[:2], 1, n // 29) for n, row in enumerate(rows)]
    )
    assert "labels.csv:31 is of train and of test by its columns; mark one split a row" in refusal(file)


def test_two_columns_of_splits(tmp_path: Path) -> None:
    rows = [(*row, ("train", "test")[n % 2], n % 10) for n, row in enumerate(flat(tmp_path / "images"))]
    file = table(tmp_path / "labels.csv", ["file", "label", "split", "fold"], rows)
    assert sum(counts(load(file))[:2]) == counts(load(file))[2] == 15  # folds below an official test part
    assert images_of(load(file, group="fold")) == images_of(load(file))
    rows = [(*row[:3], ("test", "train")[n % 2]) for n, row in enumerate(rows)]
    table(file, ["file", "label", "split", "set"], rows)
    assert "labels.csv:2 is of test by set and not by split; take one column out" in refusal(file)


def test_what_only_sounds_like_splits_is_left_alone(tmp_path: Path) -> None:
    vehicles = of_parts("train", "bus", "car")
    rows = [(name, one) for (name, _), one in zip(flat(tmp_path / "images"), vehicles, strict=True)]
    file = table(tmp_path / "labels.csv", ["file", "phase"], rows)
    assert "say label: phase" in refusal(file)  # train is the name of a split
    assert load(file, label="phase").classes == ("bus", "car", "train")
    rows = [(name, *(int(one == other) for other in ("bus", "car", "train"))) for name, one in rows]
    table(file, ["file", "bus", "car", "train"], rows)
    assert load(file).classes == ("bus", "car", "train")
    table(file, ["file", "set"], [(name, row // 10) for row, (name, *_) in enumerate(rows)])
    assert load(file).classes == ("0", "1", "2")
    assert sum(counts(load(with_column(tmp_path, "dataset", of_parts("vienna", "rosendahl", "x"))))) == COUNT


def test_pixels_in_rows_have_splits(tmp_path: Path) -> None:
    x = pixels(0, (40, 64))
    header = ["label", "split", *(f"pixel{number}" for number in range(64))]
    rows = [(n % 2, ("train", "valid", "test", "test")[n // 10], *one) for n, one in enumerate(x)]
    file = table(tmp_path / "train.csv", header, rows)
    data = load(file)
    assert counts(data) == [10, 10, 20]
    assert {one.numpy().tobytes() for one in data.test.x} == {one.tobytes() for one in x[20:]}
    table(file, header, [(one[0], "extra", *one[2:]) for one in rows])
    assert "train.csv:2 has extra in the column split" in refusal(file)


def two_folders(root: Path) -> list[tuple[str, str]]:
    """Write images of the same names, all different, into train and test; return rows that name each by its path."""
    rows = []
    for start, split in ((0, "train"), (100, "test")):
        (root / split).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(pixels(start + number)).save(root / split / f"{number:03}.png")
            rows.append((f"{split}/{number:03}.png", "ab"[number % 2]))
    return rows


@pytest.mark.parametrize("before", ["", "./", "/home/you/set/", "C:\\sets\\", "https://host/a/", "flowers/"])
def test_a_missing_file_is_never_another_one(before: str, tmp_path: Path) -> None:
    rows = [(before + name, label) for name, label in two_folders(tmp_path)]
    file = table(tmp_path / "labels.csv", ["file", "label"], rows[:12])
    whole = load(file)
    assert images_of(whole) == {pixels(number).transpose(2, 0, 1).tobytes() for number in range(12)}
    (tmp_path / "train" / "005.png").unlink()
    said = refusal(file)
    assert f"labels.csv:7 names {before}train/005.png, which is not there (1 of 12 files in all)" in said
    for left in (tmp_path / "train").iterdir():
        left.unlink()
    (tmp_path / "train").rmdir()
    assert "which is not there (12 of 12" in refusal(file, layout="table")


@pytest.mark.parametrize("form", ["name of the table", "column", "folder of the table"])
def test_a_file_of_another_split_is_not_taken(form: str, tmp_path: Path) -> None:
    rows = [(name.removeprefix("train/"), label) for name, label in two_folders(tmp_path)[:12]]
    place = {"name of the table": "train.csv", "column": "x.csv", "folder of the table": "train/x.csv"}[form]
    cells = [(*row, "train") for row in rows] if form == "column" else rows
    table(tmp_path / place, ["file", "label", "split"][: len(cells[0])], cells)
    assert images_of(load(tmp_path, layout="table")) == {
        pixels(number).transpose(2, 0, 1).tobytes() for number in range(12)
    }
    (tmp_path / "train" / "005.png").unlink()
    said = refusal(tmp_path, layout="table")
    assert f"{place}:7 names 005.png, which is not there" in said and "write their paths below" in said


def test_images_of_valid_may_lie_beside_those_of_train(tmp_path: Path) -> None:
    rows = flat(tmp_path / "train")
    table(tmp_path / "train.csv", ["file", "label"], rows[:20])
    table(tmp_path / "valid.csv", ["file", "label"], rows[20:])
    assert counts(load(tmp_path, layout="table"))[1] == 10


def test_paths_below_a_folder_that_the_table_does_not_name(tmp_path: Path) -> None:
    rows = [(f"cat/{name}", label) for name, label in flat(tmp_path / "images" / "cat")]
    file = table(tmp_path / "labels.csv", ["file", "label"], rows)
    assert sum(counts(load(file))) == COUNT
    (tmp_path / "cat").mkdir()
    assert "labels.csv:2 names cat/img0.png, which is not there (30 of 30" in refusal(file)


def parquet(file: Path, labels: Any, names: Sequence[str] | None = None, start: int = 0, **more: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    images = []
    for number in range(len(labels)):
        held = io.BytesIO()
        Image.fromarray(pixels(start + number)).save(held, format="PNG")
        images.append({"bytes": held.getvalue(), "path": None})
    made = pyarrow.table({"image": pyarrow.array(images), "label": labels, **more})
    if names:
        features = {"info": {"features": {"label": {"names": list(names), "_type": "ClassLabel"}}}}
        made = made.replace_schema_metadata({"huggingface": json.dumps(features)})
    writer.write_table(made, file)
    return file


def test_names_of_classes_in_another_order(tmp_path: Path) -> None:
    parquet(tmp_path / "train-0.parquet", [0, 1] * 5, ("cat", "dog"))
    parquet(tmp_path / "train-1.parquet", [0, 0, 1], ("dog", "cat"), 50)
    test = parquet(tmp_path / "test-0.parquet", [1, 1, 1, 0], ("dog", "cat"), 90)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog") and data.test.y.tolist() == [0, 0, 0, 1]
    parts = zip((*data.train.x, *data.valid.x), (*data.train.y, *data.valid.y), strict=True)
    found = {x.numpy().tobytes(): int(y) for x, y in parts}
    assert [found[pixels(50 + n).transpose(2, 0, 1).tobytes()] for n in range(3)] == [1, 1, 0]
    parquet(test, [0, 1], ("dog", "emu"))
    assert "test-0.parquet names the class emu, which" in refusal(tmp_path)
    parquet(test, [0, 1])
    assert "test-0.parquet does not name its classes and" in refusal(tmp_path)
    assert load(tmp_path, classes=["cat", "dog"]).test.y.tolist() == [0, 1]
    parquet(test, ["cat", "dog"])
    assert "have labels of texts and of numbers; write both alike" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            [["cat", "dog"], ["cat"]],
            "holds a list for each image; several labels an image are read from a table",
        ),
        (["cat", None], "row 1 has no label (10 rows in all)"),
        ([True, None], "row 1 has no label (10 rows in all)"),
        ([1, None], "row 1 has no label (10 rows in all)"),
        ([1.0, float("nan")], "row 1 has no label (10 rows in all)"),
        (["cat", ""], "row 1, has no label, 10 rows in all"),
        (["cat", "dog", "cat|dog"], "row 2, has several labels in label (cat|dog)"),
    ],
)
def test_parquet_labels_that_are_no_one_class(labels: list[Any], sentence: str, tmp_path: Path) -> None:
    said = refusal(parquet(tmp_path / "a.parquet", (labels * 10)[:20]))
    assert sentence in said and "a.parquet" in said


def test_a_parquet_file_of_several_splits(tmp_path: Path) -> None:
    file = parquet(tmp_path / "a.parquet", [0, 1] * 10, split=["train"] * 10 + ["test"] * 10)
    assert "has rows of test and train by its column split; write one file for each split" in refusal(file)
    parquet(file, [0, 1] * 10, split=["train"] * 19 + ["extra"])
    assert "a.parquet, row 19, has extra in the column split" in refusal(file)
    parquet(file, [0, 1] * 10, split=["train"] * 20)
    assert sum(counts(load(file))) == 20


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (["cat", "dog"], 'has several labels in label (["cat", "dog"]), 1 rows in all'),
        (float("nan"), "has no label (1 rows in all); label or remove these rows"),
        (None, "has no label (1 rows in all); label or remove these rows"),
    ],
)
def test_json_lines_of_several_labels_and_of_none(label: Any, sentence: str, tmp_path: Path) -> None:
    lines = [{"file_name": name, "label": one} for name, one in flat(tmp_path)]
    lines[4]["label"] = label
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert f"a.jsonl:5 {sentence}" in refusal(tmp_path / "a.jsonl")


def labelled(folder: Path, *labels: str) -> Path:
    rows = [(name, labels[n % len(labels)]) for n, (name, _) in enumerate(flat(folder / "images"))]
    return table(folder / "labels.csv", ["file", "label"], rows)


@pytest.mark.parametrize("missing", ["nan", "NaN", "<NA>", "N/A", "null"])
def test_what_programs_write_for_nothing_is_no_class(missing: str, tmp_path: Path) -> None:
    file = labelled(tmp_path, "cat", "dog", missing)
    assert f"labels.csv:4 has no label ({missing}), 10 rows in all; label or remove these" in refusal(file)


def test_words_that_may_be_classes(tmp_path: Path) -> None:
    assert load(labelled(tmp_path, "Mild", "None")).classes == ("Mild", "None")
    assert load(labelled(tmp_path, "NA", "DE")).classes == ("DE", "NA")
    assert "labels.csv:4 has no label (NA), 10 rows in all" in refusal(labelled(tmp_path, "0", "1", "NA"))
    assert load(labelled(tmp_path, "nan", "naan"), classes=["nan", "naan"]).classes == ("nan", "naan")


@pytest.mark.parametrize(
    "labels", [("cat", "cat|dog", "dog|emu"), ("a", "b", "a;b"), ("['a', 'b']", "['a']")]
)
def test_several_labels_of_one_image(labels: tuple[str, ...], tmp_path: Path) -> None:
    file = labelled(tmp_path, *labels)
    assert "has several labels in label" in refusal(file) and "classes: [..] if these are names" in refusal(
        file
    )
    assert set(load(file, classes=list(labels)).classes) == set(labels)


def test_a_bar_or_a_comma_in_one_name_is_no_list(tmp_path: Path) -> None:
    assert load(labelled(tmp_path, "cat", "a|b", "beans, green")).classes == ("a|b", "beans, green", "cat")


def test_numbers_that_are_written_as_names_stay_names(tmp_path: Path) -> None:
    assert load(labelled(tmp_path, "007", "012")).classes == ("007", "012")
    assert load(labelled(tmp_path, "7.0", "12.0")).classes == ("7", "12")
    big = ("12345678901234567890", "12345678901234567891")
    assert load(labelled(tmp_path, *big)).classes == big
    assert "labels.csv:3 has 1 in label, and other rows 001; write one class" in refusal(
        labelled(tmp_path, "001", "1", "2")
    )


def test_texts_in_one_split_and_numbers_in_another(tmp_path: Path) -> None:
    rows = flat(tmp_path / "images")
    table(tmp_path / "train.csv", ["file", "label"], [(name, n % 2) for n, (name, _) in enumerate(rows[:20])])
    table(
        tmp_path / "test.csv",
        ["file", "label"],
        [(name, f"00{n % 2}") for n, (name, _) in enumerate(rows[20:])],
    )
    assert "has labels such as 000 and, of train, 0; write both as texts or as numbers" in refusal(tmp_path)


@pytest.mark.parametrize("missing", ["", " ", "nan"])
def test_arrays_of_texts_without_a_label(missing: str, tmp_path: Path) -> None:
    labels = np.asarray(["cat", "dog", missing] * 10)
    for kind, texts in (("text", labels), ("bytes", labels.astype("S"))):
        np.savez(tmp_path / f"{kind}.npz", x=pixels(0, (30, 8, 8, 3)), y=texts)
        said = refusal(tmp_path / f"{kind}.npz")
        assert f"{kind}.npz: y, row 2, has no label" in said and "10 rows in all; label or remove" in said


def test_texts_that_are_said_to_be_classes(tmp_path: Path) -> None:
    texts = ["a", "b", "a|b"]
    images = pixels(0, (30, 8, 8, 3))
    np.savez(tmp_path / "a.npz", x=images, y=texts * 10)
    file = parquet(tmp_path / "a.parquet", texts * 10)
    for path in (tmp_path / "a.npz", file):
        assert "row 2, has several labels in label (a|b), 10 rows in all" in refusal(path)
        assert load(path, classes=texts).classes == ("a", "b", "a|b")
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(30) % 2, classes=["a", ""])
    assert "a.npz: classes holds an empty name; name every class" in refusal(tmp_path / "a.npz")


def saved(folder: Path, name: str) -> None:
    with (folder / name).open("wb") as file:
        np.savez(file, images=pixels(0, (30, 5, 4, 3)), labels=np.arange(30) % 3)


@pytest.mark.parametrize(
    ("given", "others", "told"),
    [
        (
            "train.npz",
            ["test.npz", "val.npz"],
            "test.npz, val.npz lie beside it and are not read; give the folder",
        ),
        (
            "pets-00000-of-00002.npz",
            ["pets-00001-of-00002.npz"],
            "pets-00001-of-00002.npz lies beside it and is not",
        ),
        ("train.npz", ["training.npz", "faces.npz", "test.h5"], ""),
        ("faces.npz", ["train.npz", "test.npz"], ""),
    ],
)
def test_a_file_that_is_one_part_of_a_set_is_told(
    given: str, others: Sequence[str], told: str, tmp_path: Path
) -> None:
    for name in (given, *others):
        saved(tmp_path, name)
    notes = load(tmp_path / given).seen.notes
    assert len(notes) == bool(told) and all(told in one for one in notes)


def test_a_folder_that_is_one_part_of_a_set_is_told(tmp_path: Path) -> None:
    put(tmp_path / "train")
    put(tmp_path / "test")
    assert "test lies beside it" in load(tmp_path / "train").seen.notes[0]
    assert not load(tmp_path).seen.notes
