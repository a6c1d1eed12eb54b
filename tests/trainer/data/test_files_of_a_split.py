"""Several files of one split are joined where their names and columns say so, else refused with both names."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.made import counts, images_of, pixels, refusal
from trainer import load


def pixel_csv(file: Path, seed: int, rows: int = 12, side: int = 5, label: str = "label") -> Any:
    """Write a table of pixels with two classes; return its images."""
    images = pixels(seed, (rows, side, side))
    head = ",".join([label, *(f"pixel{place}" for place in range(side * side))])
    lines = [
        f"{row % 2}," + ",".join(map(str, image.reshape(-1).tolist())) for row, image in enumerate(images)
    ]
    file.write_text("\n".join([head, *lines]))
    return images


def mat_file(file: Path, seed: int) -> None:
    from scipy.io import savemat

    savemat(file, {"X": pixels(seed, (12, 8, 6)), "y": np.arange(12)[:, None] % 3})


@pytest.mark.parametrize("shards", [1, 2, 3, 11])
def test_numbered_tables_of_pixels_hold_every_image_of_one_file(shards: int, tmp_path: Path) -> None:
    made = [pixel_csv(tmp_path / f"train_{number}.csv", number) for number in range(1, shards + 1)]
    pixel_csv(tmp_path / "test.csv", 100)
    data = load(tmp_path)
    assert sum(counts(data)[:2]) == 12 * shards and counts(data)[2] == 12
    assert images_of(data) >= {image.tobytes() for each in made for image in each}
    one = tmp_path / "one"
    one.mkdir()
    pixel_csv(one / "test.csv", 100)
    parts = [(tmp_path / f"train_{number}.csv").read_text().split("\n") for number in range(1, shards + 1)]
    (one / "train.csv").write_text("\n".join([parts[0][0], *(row for part in parts for row in part[1:])]))
    assert load(one).digest() == data.digest()  # 2 stands before 10


@pytest.mark.parametrize(
    ("names", "options", "sentence"),
    [
        (("emnist_a.csv", "emnist_b.csv"), {}, "emnist_a.csv and emnist_b.csv, which are both of train"),
        (("train.csv", "train_1.csv"), {}, "train.csv and train_1.csv, which are both of train"),
        (("train_1.csv", "train_2.csv"), {"side": 6}, "train_1.csv and train_2.csv, whose columns differ"),
        (("train_1.csv", "train_2.csv"), {"label": "kind"}, "whose columns differ"),
        (("train_1.csv", "train_01.csv"), {}, "train_01.csv and train_1.csv, which are both of train"),
        (
            ("train-0-of-3.csv", "train-2-of-3.csv"),
            {},
            "2 of the 3 files that train-0-of-3.csv counts",
        ),
    ],
)
def test_other_tables_of_one_split_are_refused(
    names: tuple[str, str], options: Any, sentence: str, tmp_path: Path
) -> None:
    pixel_csv(tmp_path / names[0], 1)
    pixel_csv(tmp_path / names[1], 2, **options)
    assert sentence in refusal(tmp_path)


def test_a_table_of_pixels_without_labels_is_counted(tmp_path: Path) -> None:
    pixel_csv(tmp_path / "train.csv", 1)
    rows = (tmp_path / "train.csv").read_text().split("\n")
    (tmp_path / "test.csv").write_text("\n".join(row.split(",", 1)[1] for row in rows))
    (left,) = load(tmp_path).seen.skipped
    assert (left.why, left.example) == ("a table without labels", "test.csv")


@pytest.mark.parametrize(
    "names", [("a.mat", "b.mat"), ("train_1.mat", "train_2.mat"), ("train.mat", "x-train.mat")]
)
def test_two_matlab_files_of_one_split_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    for seed, name in enumerate(names):
        mat_file(tmp_path / name, seed)
    said = refusal(tmp_path)
    assert f"{names[0]} and {names[1]} both hold" in said and "one file for each split" in said


def test_two_files_of_one_array_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", pixels(1, (12, 8, 6)))
    np.savez(tmp_path / "images.npz", images=pixels(2, (12, 8, 6)))
    np.save(tmp_path / "labels.npy", np.arange(12) % 3)
    assert "images.npy and images.npz may both be images; keep one" in refusal(tmp_path)


def test_an_idx_file_may_lie_beside_its_archive(tmp_path: Path) -> None:
    """Loaders unpack MNIST's files and leave the archives; one that holds something else is refused."""
    kinds = {
        "images-idx3-ubyte": pixels(1, (12, 8, 6)),
        "labels-idx1-ubyte": np.arange(12, dtype=np.uint8) % 3,
    }
    for name, array in kinds.items():
        sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
        content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
        (tmp_path / f"train-{name}").write_bytes(content)
        (tmp_path / f"train-{name}.gz").write_bytes(gzip.compress(content))
    data = load(tmp_path)
    assert sum(counts(data)) == 12 and data.seen.skipped[0].why == "the archive of a file beside it"
    other = tmp_path / "train-images-idx3-ubyte.gz"
    other.write_bytes(gzip.compress(gzip.decompress(other.read_bytes())[:-1] + b"x"))
    assert "train-images-idx3-ubyte and train-images-idx3-ubyte.gz may both be" in refusal(tmp_path)
    other.write_bytes(b"\x1f\x8b")
    assert "train-images-idx3-ubyte and train-images-idx3-ubyte.gz may both be" in refusal(tmp_path)


def test_two_arrays_of_one_role_are_refused(tmp_path: Path) -> None:
    x, y, names = pixels(1, (12, 8, 6)), np.arange(12) % 2, np.array(["a", "b"])
    np.savez(tmp_path / "x.npz", train_x=x, x_train=x, train_y=y)
    assert "train_x and x_train may both be the images of train; keep one" in refusal(tmp_path / "x.npz")
    np.savez(tmp_path / "names.npz", train_x=x, train_y=y, classes=names, label_names=names[::-1])
    assert "classes and label_names may both be the names of the classes" in refusal(tmp_path / "names.npz")


SCALES = [
    (np.float64, 1.0, 255.0),
    (np.float32, 1.0, 255.0),
    (np.uint8, 1, 255),
    (np.int64, 255, 1),
    (np.uint16, 250, 65000),
]


@pytest.mark.parametrize(("kind", "train", "test"), SCALES)
@pytest.mark.parametrize("answers", [{}, {"range": [0, 255]}])
def test_parts_of_two_scales_are_refused(
    kind: Any, train: float, test: float, answers: Any, tmp_path: Path
) -> None:
    unit = np.random.default_rng(0).random((12, 8, 6))
    unit.flat[:2] = 0, 1
    labels = np.arange(12) % 2
    arrays = {"x_train": (unit * train).astype(kind), "x_test": (unit * test).astype(kind)}
    np.savez(tmp_path / "a.npz", **arrays, y_train=labels, y_test=labels)
    said = refusal(tmp_path / "a.npz", **answers)
    assert f"x_train have values 0..{train:g} but those of x_test 0..{test:g}" in said and "one scale" in said


def test_picture_files_of_two_scales_are_refused(tmp_path: Path) -> None:
    for split, top in (("train", 1.0), ("test", 255.0)):
        for seed, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(5):
                image = np.random.default_rng(10 * seed + number).random((7, 9)) * top
                Image.fromarray(image.astype(np.float32)).save(tmp_path / split / name / f"{number}.tif")
    said = refusal(tmp_path, range=[0, 255])
    assert "the pixels of the train images have values" in said and "one scale" in said


def test_a_question_of_several_arrays_names_them_all(tmp_path: Path) -> None:
    x, y = pixels(1, (12, 8, 6), 200, np.uint16), np.arange(12) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x * 5, y_test=y)
    assert f"a.npz: x_train and x_test are uint16 with values {x.min()}..{x.max() * 5};" in refusal(
        tmp_path / "a.npz"
    )
