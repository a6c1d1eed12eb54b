"""Kinds of folders with several files of arrays, and files of arrays that are refused."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np

from tests.trainer.data.kinds.kind import (
    ALL,
    GREY,
    NAMES,
    NUMBERED,
    WITH_TEST,
    Read,
    grey,
    kind,
    samples,
    stacked,
)


@kind("train.npz and test.npz in one folder", read=Read(WITH_TEST, **NUMBERED))
def npz_a_split(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        np.savez(root / f"{split}.npz", x=x, y=y)


@kind("train.npz, val.npz and test.npz with images and labels", read=Read(ALL, **NUMBERED))
def npz_three_splits(root: Path) -> None:
    for name, split in (("train", "train"), ("val", "valid"), ("test", "test")):
        x, y = stacked(split)
        np.savez_compressed(root / f"mine_{name}.npz", images=x, labels=y)


@kind("KMNIST: an .npz for each array", read=Read(WITH_TEST, **NUMBERED, **GREY))
def kmnist(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split, grey)
        np.savez_compressed(root / f"kmnist-{split}-imgs.npz", x)
        np.savez_compressed(root / f"kmnist-{split}-labels.npz", y)


@kind("X.npy and Y.npy one-hot, as sign language digits", read=Read(**NUMBERED, **GREY))
def npy_pair(root: Path) -> None:
    x, y = stacked(pixels=lambda pixels: grey(pixels) / 255)
    np.save(root / "X.npy", x)
    np.save(root / "Y.npy", np.eye(3)[y])


@kind("x_train.npy, y_train.npy, x_test.npy, y_test.npy", read=Read(WITH_TEST, **NUMBERED))
def npy_splits(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        np.save(root / f"x_{split}.npy", x)
        np.save(root / f"y_{split}.npy", y)


@kind("train/ and test/ with images.npy and labels.npy", read=Read(WITH_TEST, **NUMBERED))
def npy_in_folders(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        (root / split).mkdir()
        np.save(root / split / "images.npy", x)
        np.save(root / split / "labels.npy", y)


@kind(
    "Quick, Draw!: an array of flat drawings for each class", refused="if each is one file a class, join them"
)
def quick_draw(root: Path) -> None:
    x, y = stacked(pixels=grey)
    for label, name in enumerate(NAMES):
        np.save(root / f"{name}.npy", x[y == label].reshape(8, -1))


@kind("class folders of .npy files, one image each", refused="img_00.npy is one array; give the folder")
def npy_class_folders(root: Path) -> None:
    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        np.save(root / one.name / f"{one.stem}.npy", one.pixels)


def write_idx(root: Path, *, packed: bool = False) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for split, name in (("train", "train"), ("test", "t10k")):
        x, y = stacked(split, grey)
        for array, kind_of in ((x, "images-idx3-ubyte"), (y.astype(np.uint8), "labels-idx1-ubyte")):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            content = head + array.tobytes()
            file = root / f"{name}-{kind_of}{'.gz' if packed else ''}"
            file.write_bytes(gzip.compress(content) if packed else content)


@kind("MNIST's IDX files", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx(root: Path) -> None:
    write_idx(root)


@kind("MNIST's IDX files as they are fetched: .gz", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx_packed(root: Path) -> None:
    write_idx(root, packed=True)


@kind("torchvision's MNIST/raw, by the folder above", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx_by_parent(root: Path) -> None:
    write_idx(root / "MNIST" / "raw")


@kind(
    "torchvision's folder MNIST, with the archives beside the files", read=Read(WITH_TEST, **NUMBERED, **GREY)
)
def idx_by_name(root: Path) -> Path:
    write_idx(root / "MNIST" / "raw")
    write_idx(root / "MNIST" / "raw", packed=True)
    return root / "MNIST"


@kind("CIFAR-10's pickles", refused="may hold code, which is never run")
def cifar_pickles(root: Path) -> None:
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (root / "cifar-10-batches-py").mkdir(exist_ok=True)
        (root / "cifar-10-batches-py" / name).write_bytes(pickle.dumps({b"labels": [0, 1]}))
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({b"label_names": []}))


@kind("PyTorch's tensors", refused="may hold code, which is never run; save its arrays with numpy.savez")
def pt_file(root: Path) -> Path:
    (root / "train.pt").write_bytes(b"PK\3\4")
    return root / "train.pt"


@kind(
    "a course's train_signs.h5 and test_signs.h5, each with the names of the classes",
    read=Read(WITH_TEST, **NUMBERED),
)
def course_h5(root: Path) -> None:
    import h5py

    for split in ("train", "test"):
        with h5py.File(root / f"{split}_signs.h5", "w") as file:
            file[f"{split}_set_x"], file[f"{split}_set_y"] = stacked(split)
            file["list_classes"] = np.arange(3)


@kind("PatchCamelyon: an .h5 for each array", read=Read(ALL, **NUMBERED))
def patch_camelyon(root: Path) -> None:
    import h5py

    for split in ("train", "valid", "test"):
        x, y = stacked(split)
        for name, array in (("x", x), ("y", y[:, None, None, None])):
            with h5py.File(root / f"camelyonpatch_level_2_split_{split}_{name}.h5", "w") as file:
                file[name] = array


@kind("all sets of EMNIST in one folder", refused="may both be the images of test; keep one")
def emnist_folder(root: Path) -> None:
    for name in ("balanced", "letters"):
        write_idx(root / name)
        for file in (root / name).iterdir():
            file.rename(root / f"emnist-{name}-{file.name}")
        (root / name).rmdir()


@kind(
    "MNIST-C: a folder of arrays for each corruption",
    refused="give the folder that holds it",
    read=Read(WITH_TEST, **NUMBERED, path="fog"),
)
def mnist_c(root: Path) -> None:
    for corruption in ("brightness", "fog"):
        (root / corruption).mkdir()
        for split in ("train", "test"):
            x, y = stacked(split)
            np.save(root / corruption / f"{split}_images.npy", x)
            np.save(root / corruption / f"{split}_labels.npy", y)


@kind(
    "Fashion-MNIST on Kaggle: IDX files and tables of pixels side by side",
    refused="can be read in 2 ways; say layout: array_files",
    read=Read(WITH_TEST, **NUMBERED, **GREY, answers={"layout": "array_files"}),
)
def fashion_mnist(root: Path) -> None:
    from tests.trainer.data.kinds.tables import sign_mnist

    write_idx(root)
    sign_mnist(root)
