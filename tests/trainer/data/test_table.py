"""Tables of file names and labels: CSV with any delimiter, JSON lines, one column per class, and pixels in rows."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.made import counts, images_of, pixels, put, refusal
from trainer import load

LABELS = ("cat", "dog", "emu")


def flat(folder: Path, count: int = 30, suffix: str = ".png") -> list[tuple[str, str]]:
    """Write images into one folder; return the name and the label of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        Image.fromarray(pixels(number)).save(folder / f"img{number}{suffix}")
        rows.append((f"img{number}{suffix}", LABELS[number % 3]))
    return rows


def table(file: Path, header: list[str], rows: list[Any], delimiter: str = ",") -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([header, *rows])
    file.write_text(text.getvalue(), encoding="utf-8-sig" if delimiter == ";" else "utf-8")
    return file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_beside_its_images(delimiter: str, tmp_path: Path) -> None:
    rows = flat(tmp_path / "images")
    file = table(tmp_path / "labels.csv", ["file", "label"], rows, delimiter)
    data = load(tmp_path)
    assert data.classes == LABELS and counts(data) == [21, 3, 6]
    assert data.seen.layout == "table labels.csv, files in file, labels in label"
    assert load(file).digest() == data.digest()
    for split in (data.train, data.valid, data.test):
        for x, y in zip(split.x, split.y, strict=True):
            assert any(
                int(y) == number % 3 and np.array_equal(x.permute(1, 2, 0).numpy(), pixels(number))
                for number in range(30)
            )


def test_the_table_that_is_read_is_not_left_out(tmp_path: Path) -> None:
    table(tmp_path / "labels.csv", ["file", "label"], flat(tmp_path / "images"))
    (tmp_path / "notes.txt").write_text("not read")
    (note,) = load(tmp_path).seen.skipped
    assert "notes.txt" in note and "labels.csv" not in note


def test_names_without_suffix_below_parts(tmp_path: Path) -> None:
    """HAM10000: images in two folders, names without suffix, one label column among others."""
    rows = [
        (name, label, number // 2, "back") for number, (name, label) in enumerate(flat(tmp_path / "part_1"))
    ]
    for name, *_ in rows[15:]:
        (tmp_path / "part_2").mkdir(exist_ok=True)
        (tmp_path / "part_1" / name).rename(tmp_path / "part_2" / name)
    rows = [(name.removesuffix(".png"), *others) for name, *others in rows]
    table(tmp_path / "metadata.csv", ["image_id", "dx", "lesion_id", "place"], rows)
    said = refusal(tmp_path)
    assert "does not say which column is the label; say label: place or label: dx or label: lesion_id" in said
    data = load(tmp_path, layout="table", label="dx")
    assert data.classes == LABELS and sum(counts(data)) == 30
    assert "has no column that names image files and one of labels" in refusal(
        tmp_path, layout="table", label="d"
    )


def test_groups_are_never_in_two_splits(tmp_path: Path) -> None:
    rows = [
        (name, label, f"patient {number // 6}")
        for number, (name, label) in enumerate(flat(tmp_path / "images", 120))
    ]
    table(tmp_path / "labels.csv", ["file", "label", "patient"], rows)
    data = load(tmp_path, group="patient")
    known = {pixels(number).transpose(2, 0, 1).tobytes(): number // 6 for number in range(120)}
    found = [{known[x.numpy().tobytes()] for x in split.x} for split in (data.train, data.valid, data.test)]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert sum(map(len, found)) == 20 and all(
        len(split.y.unique()) == 3 for split in (data.train, data.valid, data.test)
    )
    assert load(tmp_path, group="patient").digest() == data.digest()


def test_one_group_cannot_be_split(tmp_path: Path) -> None:
    rows = [(name, label, "p") for name, label in flat(tmp_path / "images")]
    table(tmp_path / "labels.csv", ["file", "label", "patient"], rows)
    assert "all images are of one group; at least 2 groups are needed" in refusal(tmp_path, group="patient")
    assert "has no column scene; it has file, label, patient" in refusal(
        tmp_path, group="scene", label="label"
    )


def test_one_column_per_class(tmp_path: Path) -> None:
    rows = [
        (name, *(float(label == one) for one in (*LABELS, "UNK")))
        for name, label in flat(tmp_path / "images")
    ]
    table(tmp_path / "truth.csv", ["image", *LABELS, "UNK"], rows)
    data = load(tmp_path)
    assert data.classes == LABELS and sum(counts(data)) == 30


def test_a_column_of_splits_and_tables_of_splits(tmp_path: Path) -> None:
    rows = [
        (name, label, ("train", "val", "test")[number // 10])
        for number, (name, label) in enumerate(flat(tmp_path / "x"))
    ]
    table(tmp_path / "labels.csv", ["file", "label", "split"], rows)
    data = load(tmp_path)
    assert counts(data) == [10, 10, 10] and data.seen.origins == ("rows", "rows", "rows")
    (tmp_path / "labels.csv").unlink()
    for split in ("train", "val", "test"):
        table(tmp_path / f"{split}.csv", ["file", "label"], [row[:2] for row in rows if row[2] == split])
    assert load(tmp_path).digest() == data.digest()


def test_kaggle_s_unlabelled_test_images_are_left_out_and_said(tmp_path: Path) -> None:
    train = flat(tmp_path / "train")
    for number in range(3):
        (tmp_path / "test").mkdir(exist_ok=True)
        Image.fromarray(pixels(90 + number)).save(tmp_path / "test" / f"t{number}.png")
    table(tmp_path / "train.csv", ["id", "label"], train)
    table(tmp_path / "test.csv", ["id"], [[f"t{number}.png"] for number in range(3)])
    table(
        tmp_path / "sample_submission.csv",
        ["id", "label"],
        [[f"t{number}.png", "cat"] for number in range(3)],
    )
    data = load(tmp_path)
    assert counts(data) == [21, 3, 6]
    assert {one.why for one in data.seen.skipped} >= {
        "in no row",
        "a sample of a submission",
        "a table without labels",
    }


def test_json_lines_in_the_folders_of_splits(tmp_path: Path) -> None:
    """Hugging Face's image folder: a metadata.jsonl in each split."""
    for split, count in (("train", 30), ("test", 9)):
        rows = flat(tmp_path / split, count)
        lines = [json.dumps({"file_name": name, "label": LABELS.index(label)}) for name, label in rows]
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(lines))
    data = load(tmp_path)
    assert counts(data) == [24, 6, 9] and data.classes == ("0", "1", "2")
    assert load(tmp_path, classes=list(LABELS)).classes == LABELS


def test_the_same_name_in_two_folders_is_asked_for(tmp_path: Path) -> None:
    rows = flat(tmp_path / "a")
    flat(tmp_path / "b")
    file = table(tmp_path / "labels.csv", ["file", "label"], rows)
    assert "img0.png may be" in refusal(file) and "write its path below" in refusal(file)
    table(file, ["file", "label"], [(f"b/{name}", label) for name, label in rows])
    data = load(file)
    assert sum(counts(data)) == 30 and ("in no row", 30) in [
        (one.why, one.files) for one in data.seen.skipped
    ]
    table(file, ["file", "label"], [(f"/home/you/set/a/{name}", label) for name, label in rows])
    assert images_of(load(file)) == images_of(data)


@pytest.mark.parametrize(
    ("header", "spoil", "sentence"),
    [
        (
            ["file", "label"],
            lambda rows: [*rows, ("gone.png", "cat")],
            "labels.csv:32 names gone.png, which is not there (1 of 31",
        ),
        (["file", "label"], lambda rows: [*rows, ("img3.png", "cat")], "names img3.png again"),
        (
            ["file", "label"],
            lambda rows: [*rows[:5], ("img5.png", ""), *rows[6:]],
            "labels.csv:7 has no label (1 rows in all)",
        ),
        (
            ["file", "label"],
            lambda rows: [(name, "0.5") for name, _ in rows],
            "labels must be classes, not measures",
        ),
        (["file", "label"], lambda rows: [(name, "cat") for name, _ in rows], "holds one class; at least 2"),
        (
            ["img0.png", "cat"],
            lambda rows: rows[1:],
            "labels.csv has no header; write a first line such as file,label",
        ),
        (["file", "file"], lambda rows: rows, "has two columns file"),
        (["file", "label"], lambda rows: [("a", "b", "c")], "labels.csv:2 has 3 cells and the header 2"),
        (["file", "label"], lambda rows: [], "has no rows below its header"),
    ],
)
def test_broken_tables(header: list[str], spoil: Any, sentence: str, tmp_path: Path) -> None:
    file = table(tmp_path / "labels.csv", header, spoil(flat(tmp_path / "images")))
    assert sentence in refusal(file)


def test_numbers_that_may_be_names_give_way_to_names(tmp_path: Path) -> None:
    """Boxes of a detector: a width of 8 is no image 8.png."""
    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.fromarray(pixels(number)).save(tmp_path / "images" / f"{number}.png")
    rows = [(f"{number}.png", 8, 7, LABELS[number % 3]) for number in range(12)]
    file = table(tmp_path / "labels.csv", ["filename", "width", "height", "class"], rows)
    assert load(file).classes == LABELS
    table(file, ["a", "b"], [(1, 2), (3, 4)])
    assert "names files in a and in b; say image: a, or b" in refusal(file)


def test_a_table_without_images_leaves_the_folders(tmp_path: Path) -> None:
    put(tmp_path)
    table(tmp_path / "notes.csv", ["who", "when"], [("a", "b")])
    data = load(tmp_path)
    assert data.classes == ("cat", "dog") and ("no image (.csv)", 1) in [
        (o.why, o.files) for o in data.seen.skipped
    ]


def test_pixels_in_rows(tmp_path: Path) -> None:
    """Kaggle's digits."""
    x, y = pixels(0, (40, 8, 8)), np.arange(40) % 4
    rows = [(label, *image.reshape(-1)) for image, label in zip(x, y, strict=True)]
    header = ["label", *(f"pixel{number}" for number in range(64))]
    file = table(tmp_path / "train.csv", header, rows)
    data = load(file)
    assert data.input == (1, 8, 8) and sum(counts(data)) == 40 and data.classes == ("0", "1", "2", "3")
    assert images_of(data) == {image.tobytes() for image in x}
    table(tmp_path / "test.csv", header[1:], [row[1:] for row in rows])
    assert load(tmp_path).digest() == data.digest()
    table(file, header[:-1], [row[:-1] for row in rows])
    assert "63 columns of pixels, which are no square" in refusal(file)


def test_columns_and_cells_of_pixels_that_are_damaged(tmp_path: Path) -> None:
    header, rows = (
        ["label", *(f"pixel{number}" for number in range(65))],
        [(n % 2, *range(65)) for n in range(20)],
    )
    del header[6]
    file = table(tmp_path / "train.csv", header, [row[:-1] for row in rows])
    assert "64 columns of pixels, numbered from 0 to 64; one is missing or there twice" in refusal(file)
    cells = [(" ".join(map(str, pixels(n, (16,)))), n % 2) for n in range(20)]
    table(file, ["pixels", "emotion"], cells)
    assert load(file).input == (1, 4, 4)
    table(file, ["pixels", "emotion"], [*cells[:5], (cells[5][0] + " 9", 1), *cells[6:]])
    assert "train.csv:7 has 17 numbers in pixels and the first row 16" in refusal(file)
    table(file, ["pixels", "emotion"], [*cells[:5], (cells[5][0].replace(" ", " x", 1), 1), *cells[6:]])
    assert "train.csv has a pixel that is no number" in refusal(file)
    table(file, ["pixels", "emotion", "age"], [(*row, n % 3) for n, row in enumerate(cells)])
    assert "has no column of labels beside its pixels; say label: COLUMN" in refusal(file)
    assert load(file, label="emotion").classes == ("0", "1")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"file": "img0.png", "label": "cat"}', "labels.json is no JSON ("),
        ('[{"file": "img0.png"}, 7]', "labels.json is no list of objects, such as"),
        ('{"img0.png": "cat", "img1.png": null}', "labels.json:2 has no label (1 rows in all)"),
        (
            '{"info": {"year": 2017}, "images": []}',
            "labels.json is no list of objects with a path and a label each",
        ),
    ],
)
def test_json_that_is_no_table(content: str, sentence: str, tmp_path: Path) -> None:
    flat(tmp_path / "images")
    (tmp_path / "labels.json").write_text(content)
    assert sentence in refusal(tmp_path / "labels.json")


def test_a_column_that_only_counts_the_rows_is_no_column(tmp_path: Path) -> None:
    rows = [(number, *row) for number, row in enumerate(flat(tmp_path / "images"))]
    file = table(tmp_path / "labels.csv", ["Unnamed: 0", "file", "species"], rows)
    assert load(file).classes == LABELS
    table(file, ["Unnamed: 0", "file", "species"], [*rows[1:], rows[0]])  # it says something else
    assert "say label: species or label: Unnamed: 0" in refusal(file)


def parquet(file: Path, count: int, seed: int) -> list[bytes]:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    images = []
    for number in range(count):
        held = io.BytesIO()
        Image.fromarray(pixels(seed + number)).save(held, format="PNG")
        images.append(held.getvalue())
    column = pyarrow.array([{"bytes": one, "path": None} for one in images])
    made = pyarrow.table({"image": column, "label": [number % 2 for number in range(count)]})
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    file.parent.mkdir(exist_ok=True)
    writer.write_table(made.replace_schema_metadata({"huggingface": json.dumps(features)}), file)
    return images


def test_hugging_face_s_parquet_files(tmp_path: Path) -> None:
    for split, shard, shards, count in (
        ("train", 0, 2, 10),
        ("train", 1, 2, 10),
        ("validation", 0, 1, 4),
        ("test", 0, 1, 6),
    ):
        parquet(
            tmp_path / "data" / f"{split}-0000{shard}-of-0000{shards}.parquet", count, 100 * shard + count
        )
    data = load(tmp_path)
    assert counts(data) == [20, 4, 6] and data.classes == ("cat", "dog") and data.input == (3, 7, 9)
    assert load(tmp_path, size=4).input == (3, 4, 4)
    file = tmp_path / "data" / "train-00000-of-00002.parquet"
    assert sum(counts(load(file))) == 10
    assert "say label: COLUMN" in refusal(file, label="kind")
    file.write_bytes(file.read_bytes()[:99])
    assert "is no readable parquet file" in refusal(tmp_path)
