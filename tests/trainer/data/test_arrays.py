"""Arrays of images and labels by any usual name, type and shape, and in every file that holds them."""

import gzip
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.data.made import counts, pixels, refusal
from trainer import Data, load
from trainer.data.words import role_of, split_of, split_within

Arrays = dict[str, Any]


def pair(x: str, y: str, count: int = 12, shape: tuple[int, ...] = (8, 6), seed: int = 0) -> Arrays:
    return {x: pixels(seed, (count, *shape)), y: np.arange(count) % 3}


def saved(folder: Path, arrays: Mapping[str, Any], name: str = "mine.npz") -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


def both(names: tuple[str, str, str, str], **options: Any) -> Arrays:
    return {**pair(*names[:2], **options), **pair(*names[2:], seed=1, **options)}


OURS = both(("train_x", "train_y", "test_x", "test_y"))


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),  # Keras
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("trainX", "trainY", "testX", "testY"),
        ("xtrain", "ytrain", "xtest", "ytest"),
        ("training_images", "training_labels", "testing_images", "testing_labels"),
        ("images_train", "targets_train", "images_test", "targets_test"),
        ("train/data", "train/label", "test/data", "test/label"),
    ],
)
def test_usual_names_are_understood(names: tuple[str, str, str, str], tmp_path: Path) -> None:
    data = load(saved(tmp_path, both(names)))
    assert data.digest() == load(saved(tmp_path, OURS, "ours.npz")).digest()
    assert data.seen.origins[0] == f"{names[0]}, {names[1]}"


@pytest.mark.parametrize("word", ["val", "valid", "validation", "dev"])
def test_own_validation_images_are_valid(word: str, tmp_path: Path) -> None:
    own = pair(f"{word}_x", f"{word}_y", count=6, seed=5)
    data = load(saved(tmp_path, {**OURS, **own}))
    assert counts(data) == [12, 6, 12] and np.array_equal(data.valid.x[:, 0].numpy(), own[f"{word}_x"])
    assert counts(load(saved(tmp_path, {**pair("train_x", "train_y", 30), **own}))) == [24, 6, 6]


def test_medmnist_s_files_are_read(tmp_path: Path) -> None:
    arrays: Arrays = {}
    for part, count in (("train", 20), ("val", 6), ("test", 8)):
        arrays[f"{part}_images"] = pixels(count, (count, 28, 28, 3))
        arrays[f"{part}_labels"] = (np.arange(count) % 2).astype(np.uint8)[:, None]
    data = load(saved(tmp_path, arrays, "breastmnist.npz"))
    assert data.input == (3, 28, 28) and counts(data) == [20, 6, 8] and data.classes == ("0", "1")


def test_arrays_without_a_split_are_split_here(tmp_path: Path) -> None:
    for names in (("images", "labels"), ("X", "y"), ("data", "target"), ("x", "y")):
        data = load(saved(tmp_path, pair(*names, count=30)))
        assert (
            counts(data) == [21, 3, 6] and "drawn" in data.seen.origins[1] and "drawn" in data.seen.origins[2]
        )


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    data = load(saved(tmp_path, {**OURS, "ids": np.arange(12)}))
    assert [(one.why, one.example) for one in data.seen.skipped] == [
        ("an array that is not understood", "ids")
    ]
    assert "arr_0, arr_1, which do not say what they are" in refusal(
        saved(tmp_path, {"arr_0": np.ones(2), "arr_1": np.ones(2)})
    )
    said = refusal(saved(tmp_path, {**OURS, "x_train": OURS["train_x"]}))
    assert "train_x and x_train may both be the images of train; keep one" in said
    assert "has no array train_y; it must hold" in refusal(
        saved(tmp_path, {"x_train": np.ones((3, 4, 4)), "ytr": np.ones(3)})
    )
    assert "x is of no split beside arrays of train" in refusal(saved(tmp_path, {**OURS, **pair("x", "y")}))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(12) % 3 + 1, ("1", "2", "3")),
        ((np.arange(12) % 3 * 10).astype(np.uint8), ("0", "10", "20")),
        ((np.arange(12) % 3).astype(np.float32), ("0", "1", "2")),
        ((np.arange(12) % 3)[:, None], ("0", "1", "2")),
        (np.eye(3)[np.arange(12) % 3], ("0", "1", "2")),
        (np.arange(12) % 2 == 1, ("0", "1")),
        (np.where(np.arange(12) % 2, 1, -1), ("-1", "1")),
        (np.array(["cat", "dog", "emu"] * 4), ("cat", "dog", "emu")),
        (np.array([b"cat", b"dog"] * 6), ("cat", "dog")),
    ],
)
def test_labels_of_any_usual_form(labels: Any, classes: tuple[str, ...], tmp_path: Path) -> None:
    data = load(saved(tmp_path, {**OURS, "train_y": labels, "test_y": labels}))
    assert data.classes == classes
    assert data.test.y.tolist() == [number % len(classes) for number in range(12)]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.arange(24).reshape(12, 2) % 2, "marks 0 classes of image 0; say multilabel: true if"),
        (
            np.ones((12, 3)),
            "marks 3 classes of image 0; say multilabel: true if an image may have several labels",
        ),
        (np.arange(36).reshape(12, 3), "is not one-hot"),
        (np.linspace(0, 1, 12), "labels must be whole numbers or strings"),
        (np.arange(12) % 3 - 1, "holds the label -1; take the images that have no label out"),
        (np.full(12, np.nan), "labels must be whole numbers or strings"),
        (np.zeros((12, 2, 2)), "labels must be (N,), (N, 1) or one-hot (N, K)"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, sentence: str, tmp_path: Path) -> None:
    labels = labels if sentence[0:7] != "marks 0" else np.zeros((12, 3))
    assert sentence in refusal(saved(tmp_path, {**OURS, "train_y": labels, "test_y": labels}))


def test_names_of_classes_fit_labels_from_0_and_from_1(tmp_path: Path) -> None:
    names = np.array(["cat", "dog", "emu"])
    from_0 = load(saved(tmp_path, {**OURS, "class_names": names}))
    ones = {key: value + 1 if key.endswith("_y") else value for key, value in OURS.items()}
    assert load(saved(tmp_path, {**ones, "classes": names})).digest() == from_0.digest()
    assert load(saved(tmp_path, OURS), classes=["cat", "dog", "emu"]).digest() == from_0.digest()
    assert "holds the label 2; labels must be 0..1" in refusal(saved(tmp_path, OURS), classes=["cat", "dog"])
    words = {key: names[value] if key.endswith("_y") else value for key, value in OURS.items()}
    assert load(saved(tmp_path, words), classes=["emu", "dog", "cat"]).classes == ("emu", "dog", "cat")
    assert "it is none of classes: cat, dog" in refusal(saved(tmp_path, words), classes=["cat", "dog"])


def as_kind(convert: Callable[[Any], Any]) -> Arrays:
    return {key: convert(value) if key.endswith("_x") else value for key, value in OURS.items()}


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.uint16),
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.float64),
        lambda x: (x / 255).astype(np.float32),
        lambda x: x.astype(np.float64) / 255,
    ],
)
def test_numbers_that_cannot_be_mistaken_are_the_same_images(
    convert: Callable[[Any], Any], tmp_path: Path
) -> None:
    data = load(saved(tmp_path, as_kind(convert)))
    assert data.digest() == load(saved(tmp_path, OURS, "ours.npz")).digest()
    assert "kept in 8 bits" in data.seen.pixels


@pytest.mark.parametrize(
    ("convert", "sentence", "answer"),
    [
        (
            lambda x: x.astype(np.uint16) * 16,
            "uint16 with values 0..4080; say of how many bits",
            {"bits": 12},
        ),
        (
            lambda x: x.astype(np.int64) - 128,
            "int64 with values -128..127; say which values",
            {"range": [-128, 127]},
        ),
        (
            lambda x: x / 127.5 - 1,
            "float64 with values -1..1; say which values are black",
            {"range": [-1, 1]},
        ),
        (lambda x: x / 10, "float64 with values 0..25.5; say which values are black", {"range": [0, 25.5]}),
        (lambda x: (x > 127).astype(np.int32), "int32 with values 0..1; say of how many bits", {"bits": 1}),
    ],
)
def test_other_numbers_are_asked_for_with_what_was_measured(
    convert: Callable[[Any], Any], sentence: str, answer: dict[str, Any], tmp_path: Path
) -> None:
    file = saved(tmp_path, as_kind(convert))
    assert sentence in refusal(file)
    x = load(file, **answer, depth=8).train.x
    assert int(x.min()) == 0 and int(x.max()) == (254 if "bits" in answer and answer["bits"] == 12 else 255)


def test_pixels_outside_of_the_range_are_clipped_and_said(tmp_path: Path) -> None:
    data = load(saved(tmp_path, OURS), range=[50, 100])
    assert "values outside are clipped" in data.seen.pixels
    wanted = np.rint((OURS["test_x"].astype(float) - 50).clip(0, 50) * 5.1)
    assert np.array_equal(data.test.x[:, 0].numpy(), wanted.astype(np.uint8))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (
            (16, 4, 4),
            "may be 16 channels of 4x4 or 4 channels of 16x4; say channels: first or channels: last",
        ),
        ((4, 4, 16), "may be 4 channels of 4x16 or 16 channels of 4x4"),
        ((3, 3, 3), "which axis is the channels cannot be told: say channels"),
        (
            (13, 8, 8),
            "no axis of 1 to 4 channels; say channels: first or channels: last if one axis is bands",
        ),
        ((8, 8, 8), "volumes (3D) are not supported, save slices"),
        ((5, 8, 8, 1), "volumes (3D) are not supported, since all node types are of two dimensions"),
        ((48,), "its images are flat; save them as (N, H, W)"),
    ],
)
def test_shapes_that_can_be_read_two_ways_are_refused(
    shape: tuple[int, ...], sentence: str, tmp_path: Path
) -> None:
    arrays = both(("train_x", "train_y", "test_x", "test_y"), shape=shape)
    file = saved(tmp_path, arrays)
    assert sentence in refusal(file)
    if len(shape) == 3:
        first, last = load(file, channels="first"), load(file, channels="last")
        assert first.input == shape and last.input == (shape[2], *shape[:2])
        assert np.array_equal(first.test.x.numpy(), arrays["test_x"])
        assert np.array_equal(last.test.x.numpy(), arrays["test_x"].transpose(0, 3, 1, 2))


def test_two_orders_in_one_file_are_refused(tmp_path: Path) -> None:
    arrays = both(("train_x", "train_y", "test_x", "test_y"), shape=(3, 8, 8))
    arrays["test_x"] = arrays["test_x"].transpose(0, 2, 3, 1)
    assert "train_x has shape (12, 3, 8, 8) but test_x has shape (12, 8, 8, 3)" in refusal(
        saved(tmp_path, arrays)
    )


def test_svhn_s_order_has_the_images_last(tmp_path: Path) -> None:
    arrays = both(("train_x", "train_y", "test_x", "test_y"), shape=(8, 8, 3))
    turned = {key: np.moveaxis(value, 0, 3) if key.endswith("_x") else value for key, value in arrays.items()}
    assert load(saved(tmp_path, turned)).digest() == load(saved(tmp_path, arrays, "a.npz")).digest()


def npy(folder: Path, arrays: Arrays) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def kmnist(folder: Path, arrays: Arrays) -> Path:
    for name, array in arrays.items():
        split, role = name.split("_")
        np.savez_compressed(folder / f"kmnist-{split}-{'imgs' if role == 'x' else 'labels'}.npz", array)
    return folder


def idx(folder: Path, arrays: Arrays) -> Path:
    for name, array in arrays.items():
        split, role = name.split("_")
        head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        part = "t10k" if split == "test" else "train"
        kind = "images-idx3" if role == "x" else "labels-idx1"
        packed = gzip.compress(head + array.astype(np.uint8).tobytes())
        (folder / f"{part}-{kind}-ubyte.gz").write_bytes(packed)
    return folder


def hdf5(folder: Path, arrays: Arrays) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "mine.h5", "w") as file:
        for name, array in arrays.items():
            split, role = name.split("_")
            file.create_dataset(
                f"{split}/{'images' if role == 'x' else 'labels'}", data=array, compression="gzip"
            )
        file.create_dataset("class_names", data=["0", "1", "2"])
    return folder / "mine.h5"


def camelyon(folder: Path, arrays: Arrays) -> Path:
    """PatchCamelyon: a file for each array, labels (N, 1, 1, 1)."""
    h5py = pytest.importorskip("h5py")
    for name, array in arrays.items():
        with h5py.File(folder / f"camelyonpatch_level_2_split_{name}.h5", "w") as file:
            file.create_dataset(name[-1], data=array if name.endswith("x") else array.reshape(-1, 1, 1, 1))
    return folder


def mat(folder: Path, arrays: Arrays) -> Path:
    from scipy.io import savemat

    for split in ("train", "test"):
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
        colours = np.moveaxis(np.repeat(x[..., None], 3, axis=3), 0, 3)
        savemat(folder / f"{split}_32x32.mat", {"X": colours, "y": y[:, None].astype(np.uint8)})
    return folder


@pytest.mark.parametrize("write", [npy, kmnist, idx, hdf5, camelyon, mat])
def test_every_file_of_arrays_has_the_same_images(
    write: Callable[[Path, Arrays], Path], tmp_path: Path
) -> None:
    data = load(write(tmp_path, OURS))
    known = load(saved(tmp_path, OURS, "known.npz")) if write is not mat else _colours(tmp_path)
    assert data.digest() == known.digest()


def _colours(folder: Path) -> Data:
    colours = {
        key: np.repeat(value[..., None], 3, axis=3) if key.endswith("_x") else value
        for key, value in OURS.items()
    }
    return load(saved(folder, colours, "known.npz"))


def test_damaged_files_of_arrays_are_one_sentence(tmp_path: Path) -> None:
    for write, name in (
        (npy, "train_x.npy"),
        (idx, "train-images-idx3-ubyte.gz"),
        (hdf5, "mine.h5"),
        (mat, "train_32x32.mat"),
    ):
        folder = tmp_path / write.__name__
        folder.mkdir()
        place = write(folder, OURS)
        file = folder / name
        file.write_bytes(file.read_bytes()[:90])
        said = refusal(place)
        assert str(file) in said and any(
            word in said for word in ("cut short", "no readable", "cannot be read")
        ), said


def test_pickles_in_npy_files_are_never_run(tmp_path: Path) -> None:
    npy(tmp_path, OURS)
    np.save(tmp_path / "train_y.npy", np.array([{}] * 12), allow_pickle=True)
    assert "holds Python objects, which are never loaded" in refusal(tmp_path)


def test_words_of_splits() -> None:
    assert [split_of(word) for word in ("Train", "VALID", "testing_set", "dev", "evaluation")] == [
        *("train", "valid", "test", "valid", "test"),
    ]
    assert [split_of(word) for word in ("trains", "test1", "value", "contest", "developer", "")] == [None] * 6
    assert split_within("train-00000-of-00001") == "train" and split_within("train_vs_test") is None
    assert split_within("holiday") is None


def test_words_of_roles() -> None:
    assert role_of("kmnist-train-imgs") == ("train", "x") and role_of("t10k-labels-idx1-ubyte") == (
        "test",
        "y",
    )
    assert role_of("labels_train") == ("train", "y") and role_of("label_names") == (None, "classes")
    assert role_of("weights") == (None, None) and role_of("test_data_labels") == ("test", "y")


def test_arrays_of_other_names_are_said(tmp_path: Path) -> None:
    arrays = {"photos": pixels(0, (20, 5, 4, 3)), "kinds": np.arange(20) % 2, "labels": np.arange(20)}
    np.savez(tmp_path / "mine.npz", **arrays)
    file = tmp_path / "mine.npz"
    assert "has no array train_x; " in refusal(
        file
    ) and "if one is it, say image: photos or image: kinds" in refusal(file)
    data = load(file, image="photos", label="kinds")
    assert data.classes == ("0", "1") and sum(counts(data)) == 20
    assert [one.example for one in data.seen.skipped] == ["labels"]
    assert "mine.npz has no array phones; it has photos, kinds, labels" in refusal(file, image="phones")
